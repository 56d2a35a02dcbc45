"""Shapes of the families that judges start from, against transformers' own and known counts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError
from ste_plugin.fitting.model_config import shape_of_config

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
    "head_dim": 32,  # not hidden / heads
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SPARSE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48}
FAMILIES = {
    "llama": {"attention_bias": True, "mlp_bias": True},
    "mistral": {"sliding_window": 16},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "phi3": {"num_key_value_heads": 4},
    "qwen2": {},
    "qwen3": {"tie_word_embeddings": True},
    "qwen3_moe": SPARSE | {"mlp_only_layers": [1], "decoder_sparse_step": 2},
    "qwen2_moe": SPARSE | {"shared_expert_intermediate_size": 40},
    "gemma2": {},
    "gemma3_text": {"attention_bias": True},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2},
}
TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "patch_size": 14}
TOWER |= {"num_attention_heads": 4, "image_size": 28}
BLOCKS = {"hidden_size": 32, "intermediate_size": 48, "depth": 2, "num_heads": 4}
BLOCKS |= {"out_hidden_size": 64}
DEEP = {"num_position_embeddings": 16, "deepstack_visual_indexes": [0]}
WRAPPERS = {
    "gemma3": ("gemma3_text", TOWER | {"model_type": "siglip_vision_model"}),
    "mistral3": ("mistral", TOWER | {"model_type": "pixtral", "head_dim": 8}),
    "qwen2_5_vl": ("qwen2_5_vl_text", BLOCKS),
    "qwen3_vl": ("qwen3_vl_text", BLOCKS | DEEP),
}


def made_by_transformers(kind, **config):
    """Return a config of transformers as config.json has it, and its model without weights."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    made = transformers.AutoConfig.for_model(kind, **config)
    seeing = "vision_config" in config
    autos = (transformers.AutoModelForCausalLM, transformers.AutoModelForImageTextToText)
    with torch.device("meta"):
        return made.to_dict(), autos[seeing].from_config(made)


def count(model):
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_decoder_has_the_parameters_that_transformers_makes(kind):
    config, model = made_by_transformers(kind, **SIZES | FAMILIES[kind])
    assert shape_of_config(config, kind).parameters == count(model)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRAPPERS)
def test_a_model_that_sees_has_the_parameters_that_transformers_makes(kind):
    text, vision = WRAPPERS[kind]
    decoder = SIZES | {"model_type": text}
    config, model = made_by_transformers(kind, text_config=decoder, vision_config=vision)
    shape = shape_of_config(config, kind)
    assert shape.parameters == count(model)
    assert 0 < shape.vision < shape.parameters


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(sorted(FAMILIES)),
    st.integers(1, 5),
    st.integers(1, 6),
    st.booleans(),
    st.integers(1, 9),
)
def test_parameters_agree_for_any_sizes(kind, layers, groups, tied, widths):
    sizes = {
        "hidden_size": 8 * widths,
        "intermediate_size": 7 * widths,
        "num_hidden_layers": layers,
        "num_attention_heads": 2 * groups,
        "num_key_value_heads": groups,
        "head_dim": 2 * widths,
        "tie_word_embeddings": tied,
    }
    given_ = SIZES | FAMILIES[kind] | sizes
    config, model = made_by_transformers(kind, **given_)
    assert shape_of_config(config, kind).parameters == count(model)


def linear_names(model):
    """Return what `lora_target_linear` stands for: the names of all linear maps but lm_head."""
    torch = pytest.importorskip("torch")
    maps = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return sorted({name.rpartition(".")[2] for name in maps} - {"lm_head"})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["phi3", "qwen3_moe", "qwen2_moe", "mixtral", "gpt_oss"])
def test_an_adapter_on_all_linear_maps_has_the_parameters_that_peft_makes(kind):
    peft = pytest.importorskip("peft")
    config, model = made_by_transformers(kind, **SIZES | FAMILIES[kind])
    lora = peft.LoraConfig(r=8, target_modules=linear_names(model), task_type="CAUSAL_LM")
    trained = [w for w in peft.get_peft_model(model, lora).parameters() if w.requires_grad]
    assert shape_of_config(config, kind).adapter_parameters(8) == sum(w.numel() for w in trained)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("qwen3_moe", ["q_proj", "gate_proj", "up_proj", "down_proj"]),
        ("mixtral", ["w1", "w2", "w3"]),
    ],
)
def test_targets_that_experts_were_called_by_reach_the_fused_experts(kind, names):
    peft = pytest.importorskip("peft")
    config, model = made_by_transformers(kind, **SIZES | FAMILIES[kind])
    lora = peft.LoraConfig(r=8, target_modules=names)
    trained = [w for w in peft.get_peft_model(model, lora).parameters() if w.requires_grad]
    counted = shape_of_config(config, kind).adapter_parameters(8, names)
    assert counted == sum(w.numel() for w in trained)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["qwen3_moe", "mixtral", "gpt_oss"])
def test_an_adapter_on_experts_has_the_parameters_that_peft_makes(kind):
    peft = pytest.importorskip("peft")
    config, model = made_by_transformers(kind, **SIZES | FAMILIES[kind])
    experts = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    lora = peft.LoraConfig(r=8, target_modules=[], target_parameters=experts)
    trained = [w for w in peft.get_peft_model(model, lora).parameters() if w.requires_grad]
    counted = shape_of_config(config, kind).adapter_parameters(8, (), experts)
    assert counted == sum(w.numel() for w in trained)


def gpt_oss(layers, experts):
    width = {"hidden_size": 2880, "intermediate_size": 2880, "vocab_size": 201088}
    heads = {"num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64}
    mixture = {"num_local_experts": experts, "num_experts_per_tok": 4, "num_hidden_layers": layers}
    return {"model_type": "gpt_oss", **width, **heads, **mixture, "sliding_window": 128}


def gemma3(hidden, inner, layers, **heads):
    siglip = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27}
    siglip |= {"image_size": 896, "patch_size": 14, "vision_use_head": False}
    text = {"model_type": "gemma3_text", "hidden_size": hidden, "intermediate_size": inner}
    text |= {"num_hidden_layers": layers, "sliding_window": 1024, **heads}
    return {"model_type": "gemma3", "text_config": text, "vision_config": siglip}


def decoder(kind, hidden, inner, layers, heads, kv_heads, vocabulary, **more):
    sizes = {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers}
    sizes |= {"num_attention_heads": heads, "num_key_value_heads": kv_heads}
    return {"model_type": kind, **sizes, "vocab_size": vocabulary, **more}


A3B = {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768}
MIXTRAL = {"num_local_experts": 8, "num_experts_per_tok": 2}
PIXTRAL = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
SMALL = decoder("mistral", 5120, 32768, 40, 32, 8, 131072, head_dim=128)
SEEN = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "out_hidden_size": 4096}
SEEN |= {"patch_size": 16, "num_position_embeddings": 2304, "deepstack_visual_indexes": [8, 16, 24]}
VL_TEXT = decoder("qwen3_vl_text", 4096, 12288, 36, 32, 8, 151936, head_dim=128)
KNOWN = {
    "Qwen/Qwen3-8B": (8_190_735_360, VL_TEXT | {"model_type": "qwen3"}),
    "Qwen/Qwen3-30B-A3B": (
        30_532_122_624,
        decoder("qwen3_moe", 2048, 6144, 48, 32, 4, 151936, head_dim=128, **A3B),
    ),
    "openai/gpt-oss-20b": (20_914_757_184, gpt_oss(24, 32)),
    "openai/gpt-oss-120b": (116_829_156_672, gpt_oss(36, 128)),
    "google/gemma-3-1b-it": (
        999_885_952,
        decoder("gemma3_text", 1152, 6912, 26, 4, 1, 262144, head_dim=256),
    ),
    "google/gemma-3-4b-it": (4_300_079_472, gemma3(2560, 10240, 34)),
    "google/gemma-3-12b-it": (
        12_187_325_040,
        gemma3(3840, 15360, 48, num_attention_heads=16, num_key_value_heads=8),
    ),
    "google/gemma-3-27b-it": (
        27_432_406_640,
        gemma3(5376, 21504, 62, num_attention_heads=32, num_key_value_heads=16, head_dim=128),
    ),
    "microsoft/phi-4": (14_659_507_200, decoder("phi3", 5120, 17920, 40, 40, 10, 100352)),
    "mistralai/Mistral-7B-Instruct-v0.3": (
        7_248_023_552,
        decoder("mistral", 4096, 14336, 32, 32, 8, 32768),
    ),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": (
        46_702_792_704,
        decoder("mixtral", 4096, 14336, 32, 32, 8, 32000, **MIXTRAL),
    ),
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503": (
        24_011_361_280,
        {
            "model_type": "mistral3",
            "text_config": SMALL,
            "vision_config": PIXTRAL | {"patch_size": 14},
        },
    ),
    "Qwen/Qwen3-VL-8B-Instruct": (
        8_767_123_696,
        {"model_type": "qwen3_vl", "text_config": VL_TEXT, "vision_config": SEEN},
    ),
}
"""Hub id → (parameters of the whole model, what its config.json says of sizes). None was looked up
on the hub: what the test holds is that `fit` sums a config of these sizes to the count that goes
with the model's name. gpt-oss' files hold experts in 4 bits: its counts are 20.91B and 116.83B."""


@pytest.mark.parametrize("model", KNOWN)
def test_models_of_known_sizes_have_their_number_of_parameters(model):
    parameters, config = KNOWN[model]
    assert shape_of_config(config, model).parameters == parameters


@pytest.mark.parametrize(
    ("model", "billions"), [("openai/gpt-oss-20b", 3.61), ("openai/gpt-oss-120b", 5.13)]
)
def test_active_parameters_are_known_where_the_embedding_counts_once(model, billions):
    shape = shape_of_config(KNOWN[model][1], model)
    looked_up = shape.vocabulary * shape.hidden  # the table is left out
    assert round((shape.active_parameters - looked_up) / 1e9, 2) == billions


def test_sliding_windows_bound_what_is_cached():
    shape = shape_of_config(KNOWN["google/gemma-3-1b-it"][1] | {"sliding_window": 512}, "m")
    assert shape.window_layers == 22  # every sixth of 26 layers looks at everything
    assert shape.cached(512) == 2 * 26 * 512 * 256
    assert shape.cached(4096) == 2 * (4 * 4096 + 22 * 512) * 256


def test_a_wrapper_whose_tower_is_not_counted_is_refused():
    config = {"model_type": "llava", "text_config": SMALL, "vision_config": PIXTRAL}
    with pytest.raises(ConfigError, match="model_type 'llava', whose parameters are not counted"):
        shape_of_config(config, "m")


@pytest.mark.parametrize("gone", ["num_experts_per_tok", "moe_intermediate_size", "hidden_size"])
def test_a_config_without_a_size_names_it(gone):
    config = {k: v for k, v in KNOWN["Qwen/Qwen3-30B-A3B"][1].items() if k != gone}
    with pytest.raises(ConfigError, match=f"config.json has no '{gone}'"):
        shape_of_config(config, "m")
