"""What a config says of a model's layers is held against the model, without its weights."""

import json
from pathlib import Path

import pytest

from ste_plugin.axolotl.model_layers import layer_problems, read_layers, wrapping_changes
from tests.helpers.hub_cache import downloaded

pytestmark = pytest.mark.slow

BY_LAYER = {"auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "reshard_after_forward": True}
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "head_dim": 8,
    "pad_token_id": 0,
}
LAYERS = {
    "qwen3": "Qwen3DecoderLayer",
    "llama": "LlamaDecoderLayer",
    "mistral": "MistralDecoderLayer",
    "gemma2": "Gemma2DecoderLayer",
    "phi3": "Phi3DecoderLayer",
    "qwen3_moe": "Qwen3MoeDecoderLayer",
}


@pytest.fixture(params=LAYERS)
def model(request, tmp_path):
    """(a folder with a model's config and no weights, the class of its layers)."""
    read_layers.cache_clear()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": request.param, **SMALL}))
    return str(tmp_path), LAYERS[request.param]


@pytest.mark.parametrize("prefix", ["", "fsdp_"])
def test_the_class_to_wrap_is_filled_in_from_the_model(model, prefix):
    folder, layer = model
    fsdp = {f"{prefix}auto_wrap_policy": "TRANSFORMER_BASED_WRAP"}
    found = wrapping_changes({"base_model": folder, "fsdp_config": fsdp})
    assert found == {"fsdp_config": fsdp | {"transformer_layer_cls_to_wrap": layer}}
    assert wrapping_changes({"base_model": folder, **found}) == {}


@pytest.mark.parametrize("prefix", ["", "fsdp_"])
def test_a_class_of_another_model_is_refused_with_the_right_one(model, prefix):
    folder, layer = model
    key = f"{prefix}transformer_layer_cls_to_wrap"
    other = "BloomBlock"
    (told,) = layer_problems({"base_model": folder, "fsdp_config": BY_LAYER | {key: other}})
    assert f"fsdp_config.{key}: {other} is no class of {folder}; expected {layer}" in told
    assert layer_problems({"base_model": folder, "fsdp_config": BY_LAYER | {key: layer}}) == []


def test_layers_are_those_of_the_revision_that_is_trained(model, tmp_path_factory, monkeypatch):
    folder, layer = model
    downloaded(tmp_path_factory.mktemp("hub"), monkeypatch, "org/seed", v2=Path(folder))
    fsdp = {"base_model": "org/seed", "fsdp_config": BY_LAYER}
    assert wrapping_changes(fsdp) == {}
    found = wrapping_changes(fsdp | {"revision_of_model": "v2"})
    assert found["fsdp_config"]["transformer_layer_cls_to_wrap"] == layer


def test_other_ways_to_wrap_name_no_class(model):
    by_size = {"auto_wrap_policy": "SIZE_BASED_WRAP", "min_num_params": 1000}
    assert wrapping_changes({"base_model": model[0], "fsdp_config": by_size}) == {}
    assert wrapping_changes({"base_model": model[0]}) == {}


@pytest.mark.parametrize("targets", [["nothing"], "nothing.*"])
def test_targets_that_match_no_module_are_refused(model, targets):
    cfg = {"base_model": model[0], "adapter": "lora", "lora_target_modules": targets}
    assert "match no module" in layer_problems(cfg)[0]
    assert layer_problems(cfg | {"lora_target_linear": True}) == []
    assert layer_problems(cfg | {"adapter": None}) == []


@pytest.mark.parametrize("targets", [["o_proj", "nothing"], r".*self_attn\.o_proj", "all-linear"])
def test_targets_of_which_one_matches_pass(model, targets):
    cfg = {"base_model": model[0], "adapter": "lora", "lora_target_modules": targets}
    assert layer_problems(cfg) == []


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([r"model.layers.1.+", r"^nothing$"], True),
        ([r"^model.embed_tokens.weight$[:32]"], True),
        ([r"transformer.h.1"], False),
        ([r"modelXlayers"], False),
    ],
)
def test_patterns_that_unfreeze_no_weight_are_refused(model, patterns, found):
    told = layer_problems({"base_model": model[0], "unfrozen_parameters": patterns})
    assert (told == []) is found
    assert found or "match no weight" in told[0]


@pytest.mark.parametrize(
    ("key", "patterns"),
    [("lora_target_modules", "(q_proj"), ("unfrozen_parameters", ["lm_head", "layers.[0"])],
)
def test_a_pattern_that_is_none_is_named_with_what_is_wrong_with_it(model, key, patterns):
    told = layer_problems({"base_model": model[0], "adapter": "lora", key: patterns})
    assert len(told) == 1
    assert told[0].startswith(f"{key}: ")
    assert "is no regular expression (" in told[0]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"lora_modules_to_save": ["embed_tokenz"]}, "lora_modules_to_save: ['embed_tokenz']"),
        ({"peft_layers_to_transform": [99]}, "peft_layers_to_transform: [99] are no layers"),
        ({"peft_layers_to_transform": 99}, "peft_layers_to_transform: [99] are no layers"),
    ],
)
def test_modules_and_layers_of_another_model_are_refused(model, keys, told):
    cfg = {"base_model": model[0], "adapter": "lora", "lora_target_modules": ["q_proj", "o_proj"]}
    (problem,) = layer_problems(cfg | keys)
    assert problem.startswith(told)
    mine = {"lora_modules_to_save": ["lm_head", "other"], "peft_layers_to_transform": [0, 99]}
    assert layer_problems(cfg | mine) == []


@pytest.mark.parametrize(
    ("pattern", "found"), [(r"\S*lora_A", True), ("model.layers.0", False), ("lora_A", False)]
)
def test_under_an_adapter_patterns_are_held_against_the_names_that_peft_gives(
    model, pattern, found
):
    cfg = {"base_model": model[0], "adapter": "lora", "unfrozen_parameters": [pattern]}
    assert (layer_problems(cfg) == []) is found


def test_a_model_that_cannot_be_read_is_not_judged(tmp_path):
    cfg = {"base_model": str(tmp_path), "adapter": "lora", "lora_target_modules": ["nothing"]}
    assert layer_problems(cfg) == []
    assert wrapping_changes({**cfg, "fsdp_config": BY_LAYER}) == {}
