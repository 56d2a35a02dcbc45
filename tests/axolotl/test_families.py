"""The shipped recipes with a tiny model of each family, trained and merged by real axolotl."""

import json

import pytest
import yaml

from ste_plugin.storage.resources import shipped_folder
from tests.helpers.axolotl_runs import train_all
from tests.helpers.manifests import written
from tests.helpers.tiny_model import tiny_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]

EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 48}
FAMILIES = {
    "mistral": {"sliding_window": 64},
    "qwen3": {"tie_word_embeddings": True, "head_dim": 32},
    "qwen3_moe": {"num_experts": 4, **EXPERTS},
    "gemma3_text": {"sliding_window": 64, "head_dim": 32},
    "phi3": {"num_key_value_heads": 4},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 16},
}
ATTENTION = {f"self_attn.{name}_proj" for name in "qkvo"}
MLP = {f"mlp.{name}_proj" for name in ("gate", "up", "down")}
FUSED = {"self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"}
LEARNT = {
    "mistral": ATTENTION | MLP,
    "qwen3": ATTENTION | MLP,
    "qwen3_moe": ATTENTION,
    "gemma3_text": ATTENTION | MLP,
    "phi3": FUSED,
    "gpt_oss": ATTENTION,
}
"""Family → the maps of a layer that its recipe changes."""
ON_A_CPU = {
    "bf16": False,
    "tf32": False,
    "optimizer": "adamw_torch",
    "dataset_num_proc": 0,
    "gradient_accumulation_steps": 1,
    "max_steps": 2,
    "warmup_steps": 0,
    "learning_rate": 0.01,
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
}


def saved(kind, folder):
    import torch
    import transformers

    tokenizer = tiny_tokenizer()
    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": len(tokenizer)}
    named = sizes | ends | {"bos_token_id": None, "dtype": "float32"} | FAMILIES[kind]
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **named)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def config_of(kind, folder, manifest):
    """Write the family's recipe as a CPU can train it; only what stands in ON_A_CPU differs."""
    name = "sft-lora-gpt-oss-20b" if kind == "gpt_oss" else "sft-lora-8b"
    recipe = yaml.safe_load((shipped_folder("recipes") / f"{name}.yaml").read_text())
    if kind == "gpt_oss":  # these weights are no MXFP4
        recipe = {k: v for k, v in recipe.items() if "quantization" not in k}
    saved(kind, folder / "models" / kind)
    recipe["ste"]["manifest"] = str(manifest)
    places = {"base_model": "models", "output_dir": "out", "dataset_prepared_path": "prepared"}
    recipe |= ON_A_CPU | {key: str(folder / where / kind) for key, where in places.items()}
    path = folder / f"{kind}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    pytest.importorskip("axolotl")
    folder = tmp_path_factory.mktemp("families")
    manifest = written(folder / "data")
    codes = train_all([config_of(kind, folder, manifest) for kind in FAMILIES])
    return folder, codes


def weights(folder):
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    return dict(model.named_parameters())


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_familys_recipe_trains_it_and_merges_what_was_learnt(trained, kind):
    folder, codes = trained
    assert codes[kind] == 0, (folder / f"{kind}.log").read_text()[-3000:]
    assert json.loads((folder / "out" / kind / "trained.json").read_text())["steps"] == 2
    before = weights(folder / "models" / kind)
    after = weights(folder / "out" / kind / "merged")
    changed = {name for name, weight in before.items() if not weight.equal(after[name])}
    short = {name.split(".", 3)[3].removesuffix(".weight") for name in changed}
    assert short == LEARNT[kind]
    assert len(changed) == 2 * len(LEARNT[kind])
