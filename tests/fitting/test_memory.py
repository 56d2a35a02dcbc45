"""The sums behind `ste recipes fit`: counted parameters, and what each way of training holds."""

import json
import subprocess
import sys
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError
from ste_plugin.fitting.memory import NF4, Cluster, Training, needed
from ste_plugin.fitting.model_config import read_shape, shape_of_config, shape_of_size
from ste_plugin.fitting.model_shape import LLAMA, ModelShape

LLAMA_8B, LLAMA_70B = LLAMA[8], LLAMA[70]
ONE, EIGHT = Cluster(1, 1, 80), Cluster(1, 8, 80)
FULL = Training(tokens=4096)
LORA = replace(FULL, rank=32)
SMOLLM2 = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        (LLAMA[1], 1_235_814_400),
        (LLAMA[3], 3_212_749_824),
        (LLAMA_8B, 8_030_261_248),
        (LLAMA_70B, 70_553_706_496),
        (LLAMA[405], 405_853_388_800),
        (shape_of_config(SMOLLM2, "smol"), 134_515_008),
    ],
)
def test_parameters_are_counted_exactly(shape, parameters):
    assert shape.parameters == parameters


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "mistral", "ministral", "qwen2", "qwen3", "smollm3"])
def test_parameters_are_those_that_transformers_makes(kind):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    sizes = {k: v for k, v in SMOLLM2.items() if k not in ("model_type", "tie_word_embeddings")}
    config = transformers.AutoConfig.for_model(kind, **sizes, head_dim=32, pad_token_id=0)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    counted = shape_of_config(config.to_dict(), kind).parameters
    assert counted == sum(weight.numel() for weight in model.parameters())


@pytest.mark.slow
def test_adapter_parameters_are_those_that_peft_makes():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft")
    config = transformers.AutoConfig.for_model(**SMOLLM2)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
        lora = peft.LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
        adapted = peft.get_peft_model(model, lora)
    trainable = sum(w.numel() for w in adapted.parameters() if w.requires_grad)
    assert shape_of_config(SMOLLM2, "smol").adapter_parameters(8) == trainable


def test_a_folder_is_read_without_transformers(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SMOLLM2))
    code = (
        "import sys; from ste_plugin.fitting.model_config import read_shape\n"
        f"print(read_shape({str(tmp_path)!r})[0].parameters, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["134515008", "False"]


def test_a_size_takes_the_shape_of_the_llama_of_that_size():
    assert read_shape("8B") == (LLAMA_8B, "the shape of Llama 3's 8B")
    assert read_shape("70b")[0] == LLAMA_70B


@given(st.floats(min_value=1, max_value=460))
def test_a_shape_by_size_has_about_that_many_parameters(billions):
    shape, _ = shape_of_size(billions)
    assert 0.85 < shape.parameters / (billions * 1e9) < 1.25


def test_a_size_between_two_llamas_says_whose_layers_it_counts():
    assert shape_of_size(32)[1] == "the shape of Llama 3's 70B with 35 layers"


@pytest.mark.parametrize("config", ["{", "[]"])
def test_a_folder_without_a_readable_config_names_it(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ConfigError, match="config.json"):
        read_shape(str(tmp_path))


def test_a_family_that_is_not_counted_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match="Give its size instead"):
        shape_of_config(SMOLLM2 | {"model_type": "mamba2"}, "m")


@pytest.mark.slow
def test_a_hub_id_that_cannot_be_read_is_answered_with_the_other_ways(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"Give a folder with config\.json, or a size"):
        read_shape("nobody/nothing")


def test_full_training_in_bfloat16_holds_weights_gradients_and_two_states():
    terms = needed(LLAMA_8B, replace(FULL, adam_bytes=4), ONE)
    each = LLAMA_8B.parameters * 2 / 1e9
    assert (terms.weights, terms.gradients, terms.optimizer) == (each, each, 2 * each)


def test_deepspeed_keeps_a_float32_copy_and_shards_everything_in_stage_3():
    terms = needed(LLAMA_8B, replace(FULL, sharding="zero3"), EIGHT)
    held = terms.weights + terms.gradients + terms.optimizer
    assert held == pytest.approx(16 * LLAMA_8B.parameters / 8 / 1e9)


def test_each_stage_of_zero_shards_one_thing_more():
    stages = ("zero1", "zero2", "zero3")
    found = [needed(LLAMA_8B, replace(FULL, sharding=s), EIGHT) for s in stages]
    whole = LLAMA_8B.parameters * 2 / 1e9
    assert [t.weights for t in found] == [whole, whole, whole / 8]
    assert [t.gradients for t in found] == [whole, whole / 8, whole / 8]
    assert len({t.optimizer for t in found}) == 1


def test_an_adapter_takes_16_bytes_a_parameter():
    terms = needed(LLAMA_8B, LORA, ONE)
    assert terms.adapter == pytest.approx(83_886_080 * 16 / 1e9)
    assert (terms.gradients, terms.optimizer) == (0, 0)


def test_four_bits_quantise_the_linear_maps_alone():
    terms = needed(LLAMA_8B, replace(LORA, weight_bytes=NF4), ONE)
    others = LLAMA_8B.parameters - LLAMA_8B.linear_parameters
    assert terms.weights * 1e9 == LLAMA_8B.linear_parameters * NF4 + others * 2


def test_a_preference_pair_doubles_activations_and_a_reference_the_weights():
    one = needed(LLAMA_8B, LORA, ONE)
    pair = needed(LLAMA_8B, replace(FULL, sequences=2, preference=True, reference=True), ONE)
    assert pair.activations == 2 * one.activations
    assert pair.reference == pair.weights == one.weights


def test_fsdp_that_accumulates_keeps_whole_gradients():
    fsdp = replace(FULL, sharding="fsdp")
    whole = needed(LLAMA_70B, replace(fsdp, whole_gradients=True), EIGHT)
    assert whole.gradients == 8 * needed(LLAMA_70B, fsdp, EIGHT).gradients


def test_offloaded_weights_and_optimizer_leave_the_gpu():
    there = replace(FULL, sharding="zero3", offload_weights=True, offload_optimizer=True)
    terms = needed(LLAMA_8B, there, EIGHT)
    assert (terms.weights, terms.optimizer) == (0, 0)
    assert terms.gathered > 0


def test_generation_counts_for_what_it_needs_beyond_the_training_step():
    small = needed(LLAMA_8B, replace(LORA, generated=1), ONE)
    large = needed(LLAMA_8B, replace(LORA, generated=64), ONE)
    cache = 64 * 4096 * 2 * 32 * 1024 * 2 / 1e9
    assert small.generation == 0
    assert large.generation == pytest.approx(cache - large.activations - large.logits)


SHARDINGS = st.sampled_from(["none", "zero1", "zero2", "zero3", "fsdp"])


@given(
    SHARDINGS,
    st.sampled_from([None, 8, 64]),
    st.integers(1, 8192),
    st.integers(1, 8),
    st.sampled_from([LLAMA_8B, LLAMA_70B]),
)
def test_no_term_is_negative_and_fewer_tokens_never_need_more(
    sharding, rank, tokens, gpus, shape: ModelShape
):
    training = Training(tokens=tokens + 1, rank=rank, sharding=sharding)
    terms = needed(shape, training, Cluster(1, gpus, 80))
    fewer = needed(shape, replace(training, tokens=tokens), Cluster(1, gpus, 80))
    assert min(astuple(terms)) >= 0
    assert fewer.total < terms.total
