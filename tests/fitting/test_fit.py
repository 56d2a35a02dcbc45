"""Which recipe fits which GPUs: recipes as written, and the command."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from ste_plugin.axolotl.run_config import longest_row
from ste_plugin.config import DatasetConfig
from ste_plugin.errors import ConfigError
from ste_plugin.fitting.fit import fit_recipe, read_cluster, read_training
from ste_plugin.fitting.memory import NF4, Cluster, needed
from ste_plugin.fitting.model_config import read_shape
from ste_plugin.fitting.model_shape import Experts, ModelShape
from ste_plugin.storage.resources import shipped_folder

pytestmark = pytest.mark.usefixtures("warm_hosts")

SHIPPED = {path.stem: path for path in sorted(shipped_folder("recipes").glob("*.yaml"))}
FOR_GPUS = sorted(name for name in SHIPPED if "-cpu-" not in name)
GPT_OSS_20B = ModelShape(
    2880,
    2880,
    24,
    64,
    8,
    64,
    201088,
    qkv_bias=True,
    o_bias=True,
    sinks=True,
    experts=Experts(32, 4, 2880, 24, bias=True),
)
QWEN3_8B = ModelShape(4096, 12288, 36, 32, 8, 128, 151936, qk_norm=True)
"""Source: its config.json."""
ZERO3 = {"zero_optimization": {"stage": 3}}


def training(**recipe):
    return read_training({"bf16": True, "sequence_len": 1024} | recipe, "recipe.yaml")


def written(folder, **recipe):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"bf16": True, "gradient_checkpointing": True} | recipe))
    return path


def ste(*arguments):
    command = [sys.executable, "-m", "ste_plugin", "recipes", "fit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", FOR_GPUS)
def test_what_a_recipe_says_it_needs_is_what_fit_calculates(name):
    text = SHIPPED[name].read_text()
    needs = next(line for line in text.splitlines() if line.startswith("# needs:"))
    gpus = re.search(r"\((\d+x[\dx]+)\)", needs)[1]
    size = re.search(r"Llama-3\.1-(\d+B)", text)
    others = QWEN3_8B if "Qwen3-8B" in text else GPT_OSS_20B
    shape = read_shape(size[1])[0] if size else others
    fit = fit_recipe(SHIPPED[name], shape, read_cluster(gpus))
    terms = " + ".join(f"{term} {gb:.1f}" for term, gb in fit.terms.named().items())
    assert fit.fits
    assert f": {fit.terms.total:.1f} GB = {terms};" in needs


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_recipe_learns_the_manifest_and_names_no_data_of_its_own(name):
    recipe = yaml.safe_load(SHIPPED[name].read_text())
    assert recipe["plugins"][0] == "ste_plugin.axolotl.STEPlugin"
    assert recipe["ste"]["manifest"] == "manifest.json"
    assert not {"datasets", "test_datasets", "val_set_size"} & set(recipe)
    assert recipe["ste"].get("merge", False) == ("adapter" in recipe)


@pytest.mark.parametrize("name", FOR_GPUS)
def test_a_shipped_recipe_takes_the_rows_of_a_run_as_long_as_they_are_by_default(name):
    recipe = yaml.safe_load(SHIPPED[name].read_text())
    assert longest_row(recipe) >= DatasetConfig().sequence_len


@pytest.mark.parametrize("name", FOR_GPUS)
def test_a_shipped_recipe_names_no_tokens_and_no_layers_of_one_family(name):
    recipe = yaml.safe_load(SHIPPED[name].read_text())
    assert "special_tokens" not in recipe
    assert "transformer_layer_cls_to_wrap" not in recipe.get("fsdp_config", {})


@pytest.mark.parametrize("name", FOR_GPUS)
def test_a_shipped_recipe_that_shares_its_weights_can_load_its_best_checkpoint(name):
    recipe = yaml.safe_load(SHIPPED[name].read_text())
    shares = "deepspeed" in recipe or "fsdp_config" in recipe
    assert recipe["save_only_model"] is not shares


@pytest.mark.parametrize("name", [n for n in FOR_GPUS if n.endswith("full-70b")])
def test_a_shipped_fsdp_recipe_does_not_keep_whole_gradients(name):
    found = read_training(yaml.safe_load(SHIPPED[name].read_text()), SHIPPED[name])
    assert found.sharding == "fsdp"
    assert found.checkpointing
    assert not found.whole_gradients


@pytest.mark.parametrize("name", [n for n in SHIPPED if n.startswith("grpo")])
def test_a_grpo_recipe_has_both_orders_of_a_pair_in_one_batch(name):
    recipe = yaml.safe_load(SHIPPED[name].read_text())
    batch = recipe["micro_batch_size"] * recipe["gradient_accumulation_steps"]
    assert batch % (2 * recipe["trl"]["num_generations"]) == 0


@pytest.mark.parametrize(
    ("text", "cluster"), [("8x80", Cluster(1, 8, 80)), ("2x8x79.5", Cluster(2, 8, 79.5))]
)
def test_gpus_are_read_as_they_are_told(text, cluster):
    assert read_cluster(text) == cluster
    assert str(cluster) == text


@pytest.mark.parametrize("text", ["", "80", "8*80", "0x80", "8x0", "1x2x3x4"])
def test_gpus_that_cannot_be_read_are_answered_with_the_form(text):
    with pytest.raises(ConfigError, match="expected GPUSxGB or NODESxGPUSxGB"):
        read_cluster(text)


def test_a_preference_recipe_has_two_sequences_and_a_reference_only_without_adapter():
    full, lora = training(rl="dpo"), training(rl="dpo", adapter="lora", lora_r=8)
    assert (full.sequences, full.reference) == (2, True)
    assert (lora.sequences, lora.reference) == (2, False)
    assert not training(rl="dpo", precompute_ref_log_probs=True).reference


def test_kto_has_one_sequence_a_row_and_keeps_a_reference():
    found = training(rl="kto", micro_batch_size=4)
    assert (found.sequences, found.reference) == (4, True)


def test_grpo_adds_the_answer_to_the_prompt_and_computes_logits_for_it_alone():
    trl = {"max_completion_length": 256, "beta": 0.0}
    found = training(rl="grpo", trl=trl, micro_batch_size=2, gradient_accumulation_steps=8)
    assert (found.tokens, found.loss_tokens, found.generated) == (1280, 256, 16)
    assert not found.reference


def test_grpo_with_a_kl_term_keeps_a_copy_of_the_adapter_as_its_reference():
    adapter, held = {"adapter": "lora", "lora_r": 8}, []
    for beta in (0.0, 0.01):
        found = training(rl="grpo", trl={"beta": beta}, **adapter)
        assert not found.reference
        held.append(needed(read_shape("8B")[0], found, Cluster(1, 1, 80)).reference)
    assert held[0] == 0 < held[1] < 1
    assert training(rl="grpo", trl={"beta": 0.01}).reference  # without one, all weights


WRITES = {"judge_by": "generation", "judge_batch_size": 4}


def test_judgments_written_while_a_judge_trains_count_behind_the_prompts_of_a_batch():
    own = WRITES | {"judge_max_new_tokens": 64}
    found = training(ste=own, micro_batch_size=2)
    assert (found.generated, found.generated_tokens) == (4, 2 * 1024 // 4 + 64)
    assert training(ste=WRITES).generated_tokens == 1024 // 4 + 4096
    assert training(ste={"judge_by": "log_probabilities"}).generated == 0
    trl = {"max_completion_length": 256}
    assert training(rl="grpo", trl=trl, ste=own).generated_tokens is None


def test_judgments_written_while_a_judge_trains_count_where_a_step_needs_less(tmp_path):
    qlora = {"adapter": "qlora", "load_in_4bit": True, "lora_r": 8, "sequence_len": 512} | CUT
    for own, more in (({}, False), (WRITES, True)):
        path = written(tmp_path, ste=own, **qlora)
        terms = fit_recipe(path, read_shape("8B")[0], read_cluster("1x24")).terms
        assert (terms.generation > 0) is more


def test_an_engine_in_the_same_process_takes_its_share_and_a_server_none():
    trl, vllm = {"use_vllm": True, "vllm_mode": "colocate"}, {"gpu_memory_utilization": 0.3}
    inside = training(rl="grpo", trl=trl, vllm=vllm)
    outside = training(rl="grpo", trl=trl | {"vllm_mode": "server"}, vllm=vllm)
    assert (inside.served_share, inside.generated) == (0.3, 0)
    assert outside.served_share == 0


def test_deepspeed_is_read_from_the_recipe_or_from_a_file(tmp_path):
    file = tmp_path / "zero.json"
    file.write_text(json.dumps(ZERO3))
    assert training(deepspeed=ZERO3).sharding == "zero3"
    assert training(deepspeed=str(file)).sharding == "zero3"


def test_a_deepspeed_file_that_is_not_there_is_named():
    with pytest.raises(
        ConfigError, match=r"recipe\.yaml: deepspeed: no/zero3\.json cannot be read"
    ):
        training(deepspeed="no/zero3.json")


def test_offloading_is_read_from_deepspeed_and_from_fsdp():
    zero = {"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}}}
    found = training(deepspeed=zero)
    assert (found.offload_optimizer, found.offload_weights) == (True, False)
    assert training(fsdp_config={"offload_params": True}).offload_weights


@pytest.mark.parametrize("prefix", ["", "fsdp_"])
def test_keys_of_fsdp_are_read_by_their_old_names_as_well(prefix):
    keys = {"offload_params": True, "activation_checkpointing": True}
    found = training(fsdp_config={prefix + key: value for key, value in keys.items()})
    assert found.offload_weights
    assert found.checkpointing


CUT = {"plugins": ["axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin"]}
LIGER = {"plugins": ["axolotl.integrations.liger.LigerPlugin"]}
LIGER_LOSS = {"liger_fused_linear_cross_entropy": True}


@pytest.mark.parametrize(
    ("keys", "fused"),
    [
        (CUT | {"cut_cross_entropy": True}, True),
        (CUT, True),
        (CUT | {"cut_cross_entropy": False}, False),
        ({"cut_cross_entropy": True}, False),
        (LIGER | LIGER_LOSS, True),
        (LIGER, False),
        (LIGER_LOSS, False),
        (LIGER | LIGER_LOSS | {"rl": "dpo"}, False),
    ],
)
def test_a_fused_loss_counts_where_its_plugin_is_named_and_the_loss_is_of_sft(keys, fused):
    assert training(**keys).fused_loss is fused


def test_a_fused_loss_has_no_logits(tmp_path):
    path = written(tmp_path, adapter="lora", lora_r=8, **CUT)
    assert fit_recipe(path, read_shape("8B")[0], read_cluster("1x80")).terms.logits == 0


@pytest.mark.parametrize(
    ("keys", "targets", "experts"),
    [
        ({"lora_target_linear": True}, None, ()),
        ({"lora_target_modules": ["q_proj"]}, ("q_proj",), ()),
        ({"lora_target_modules": ["q_proj"], "lora_target_linear": True}, None, ()),
        ({"lora_target_parameters": ["mlp.experts.down_proj"]}, (), ("mlp.experts.down_proj",)),
    ],
)
def test_what_gets_an_adapter_is_read_from_all_three_keys(keys, targets, experts):
    found = training(adapter="lora", lora_r=8, **keys)
    assert (found.targets, found.parameters) == (targets, experts)


@pytest.mark.parametrize(
    ("gpus", "would"),
    [
        ("1x80", "2x80"),
        ("3x40", "8x40"),
        ("5x24", "2x8x24"),
        ("8x20", "2x8x20"),
        ("2x8x9", "16x8x9"),
    ],
)
def test_more_gpus_are_proposed_as_2_4_or_8_of_a_node_and_then_as_whole_nodes(
    tmp_path, gpus, would
):
    path = written(tmp_path, deepspeed=ZERO3)
    fit = fit_recipe(path, read_shape("8B")[0], read_cluster(gpus))
    assert f"{would} GPUs" in fit.instead


def test_quantised_experts_are_read():
    found = training(adapter="qlora", load_in_4bit=True, lora_r=8, quantize_moe_experts=True)
    assert found.quantised_experts


def test_fsdp_keeps_whole_gradients_where_it_accumulates_unless_told_to_reduce():
    fsdp = {"fsdp_config": {"activation_checkpointing": True}, "gradient_accumulation_steps": 2}
    reduced = {"gradient_accumulation_kwargs": {"sync_each_batch": True}}
    assert training(**fsdp).whole_gradients
    assert training(**fsdp).checkpointing
    assert not training(**fsdp, accelerator_config=reduced).whole_gradients


@pytest.mark.parametrize(
    ("keys", "weights", "adam"),
    [
        ({}, 2, 4),
        ({"deepspeed": ZERO3}, 2, 8),
        ({"optimizer": "adamw_torch_8bit"}, 2, 2.03),
        ({"adapter": "qlora", "load_in_4bit": True, "lora_r": 8}, NF4, 8),
        ({"bf16": False}, 4, 8),
    ],
)
def test_widths_follow_precision_adapter_and_optimizer(keys, weights, adam):
    found = training(**keys)
    assert (found.weight_bytes, found.adam_bytes) == (weights, adam)


def test_what_does_not_fit_says_what_takes_most_and_what_would_fit(tmp_path):
    path = written(tmp_path, sequence_len=4096, optimizer="adamw_torch_8bit")
    fit = fit_recipe(path, read_shape("8B")[0], read_cluster("8x40"))
    assert not fit.fits
    assert "most is gradients" in str(fit)
    assert "deepspeed with ZeRO-3, or fsdp_config, on these GPUs" in fit.instead
    assert "adapter: lora" in fit.instead


def test_long_sequences_are_answered_with_a_length_that_fits(tmp_path):
    path = written(tmp_path, sequence_len=65536, adapter="lora", lora_r=8)
    fit = fit_recipe(path, read_shape("8B")[0], read_cluster("1x80"))
    assert "8192 tokens, now 65536" in fit.instead


def test_a_sharded_recipe_that_is_short_of_gpus_is_told_how_many_would_do():
    fit = fit_recipe(SHIPPED["sft-full-70b"], read_shape("70B")[0], read_cluster("8x80"))
    assert not fit.fits
    assert "2x8x80 GPUs" in fit.instead


def test_the_command_prints_every_recipe_with_its_terms():
    done = ste("--model", "8B", "--gpus", "1x24")
    assert done.returncode == 0
    assert "8,030,261,248 parameters, by the shape of Llama 3's 8B; 1x24 GPUs" in done.stdout
    assert all(re.search(rf"\n{name}[ \n]", done.stdout) for name in SHIPPED)
    assert "sft-lora-gpt-oss-20b NOT FOR THIS MODEL: it loads experts of 4 bits" in done.stdout
    assert re.search(r"sft-qlora-8b\n  fits: 18\.\d of 24 GB per GPU = weights 5\.7", done.stdout)
    assert re.search(r"sft-full-8b DOES NOT FIT: .*, most is optimizer 16\.3; would", done.stdout)


def test_the_command_prints_json_whose_terms_add_up():
    done = ste("--model", "70B", "--gpus", "8x80", "--json", "dpo-lora-70b")
    (found,) = json.loads(done.stdout)["recipes"]
    assert found["fits"]
    assert sum(found["terms"].values()) == pytest.approx(found["needed_gb"], abs=0.1)


def test_the_command_refuses_gpus_it_cannot_read_with_the_exit_code_of_a_setting():
    done = ste("--model", "8B", "--gpus", "many")
    assert done.returncode == ConfigError.exit_code
    assert "expected GPUSxGB" in done.stderr


def peak(folder, shape, gpus, **recipe):
    """GB without the tenth that is kept free, and with it."""
    terms = fit_recipe(written(folder, **recipe), shape, read_cluster(gpus)).terms
    return terms.total - terms.headroom, terms.total


@pytest.mark.parametrize(
    ("gb", "tokens"), [(16, 2551), (24, 5789), (40, 12264), (48, 15502), (80, 28454)]
)
def test_the_longest_published_sequences_of_an_8b_in_4_bits_just_fit(tmp_path, gb, tokens):
    """Source: Unsloth's README, `Hugging Face + FA2`, measured on GPUs of these sizes: rank 32 on
    all linear maps, one sequence."""
    qlora = {"adapter": "qlora", "load_in_4bit": True, "lora_r": 32, "sequence_len": tokens}
    _, needed = peak(tmp_path, read_shape("8B")[0], f"1x{gb}", **qlora)
    assert 0.88 * gb < needed <= gb


def test_gpt_oss_takes_what_axolotl_measured(tmp_path):
    """Source: axolotl's examples/gpt-oss/README.md: LoRA at about 44 GiB on one GPU of 48 GB."""
    lora = {"adapter": "lora", "lora_r": 8, "lora_target_linear": True, "sequence_len": 4096}
    low, high = peak(tmp_path, GPT_OSS_20B, "1x48", optimizer="adamw_torch_8bit", **lora, **CUT)
    assert low < 44 * 1.0737 < high
