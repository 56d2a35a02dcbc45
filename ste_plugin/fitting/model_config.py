"""From a folder, a hub id, or a size like 8B to the shape of a model."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

from ste_plugin.errors import ConfigError
from ste_plugin.fitting.model_shape import LLAMA, Experts, ModelShape
from ste_plugin.fitting.vision import WRAPPERS

_FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {},
    "ministral": {},
    "smollm3": {},
    "mixtral": {},
    "phi3": {"fused": True},
    "qwen2": {"qkv_bias": True},
    "qwen2_moe": {"qkv_bias": True},
    "qwen3": {"qk_norm": True},
    "qwen3_moe": {"qk_norm": True},
    "gemma2": {"norms": 4},
    "gemma3_text": {"norms": 4, "qk_norm": True},
    "gpt_oss": {"sinks": True},
}
"""model_type → what of its shape no key of config.json says."""
_TEXT_OF = {
    "qwen2_5_vl": "qwen2",
    "qwen2_5_vl_text": "qwen2",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe_text": "qwen3_moe",
}
"""model_type of a decoder in a wrapper → the family it is of."""
_WIDE = {"hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26}
_GEMMA = {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma2": _WIDE | _GEMMA | {"vocab_size": 256000, "tie_word_embeddings": True},
    "gemma3_text": _WIDE | _GEMMA | {"vocab_size": 262208, "tie_word_embeddings": True},
    "gpt_oss": {"attention_bias": True},
}
"""What transformers takes for keys that the published config.json leaves out."""
_HAVE_ATTENTION_BIAS = {"llama", "qwen3", "qwen3_moe", "gemma2", "gemma3_text", "gpt_oss"}
_UNFUSED = {"mixtral": ("w1", "w3", "w2"), "qwen3_moe": ("gate_proj", "up_proj", "down_proj")}
"""What PEFT still takes an expert's gate, up and down maps for; others are named whole."""
_INSTEAD = "Give a folder with config.json, or a size such as 8B."


def read_shape(model: str) -> tuple[ModelShape, str]:
    """Return the shape of a model and a word on where it is from.

    `model` is a folder with config.json, a size like 8B, or a hub id, tried in this order.
    Raises: ConfigError where there is no such model, or its family is not counted here.
    """
    if (folder := Path(model).expanduser()).is_dir():
        return shape_of_config(_config_in(folder), model), "its config.json"
    if size := re.fullmatch(r"(\d+(?:\.\d+)?)[bB]", model):
        return shape_of_size(float(size[1]))
    return shape_of_config(_config_on_hub(model), model), "its config on the hub"


def shape_of_size(billions: float) -> tuple[ModelShape, str]:
    """Return the nearest Llama 3 with as many layers as give that size, and what was done."""
    if not billions:
        raise ConfigError("--model: a model of 0B has no weights. Give a size such as 8B.")
    nearest = min(LLAMA, key=lambda size: abs(log(size / billions)))
    shape = LLAMA[nearest]
    if abs(nearest / billions - 1) < 0.15:
        return shape, f"the shape of Llama 3's {nearest}B"
    layers = (billions * 1e9 - shape.embedding_parameters) / shape.layer_parameters
    if layers < 1:
        raise ConfigError(
            f"--model: no Llama 3 is near {billions:g}B. Give a folder with config.json instead."
        )
    told = f"the shape of Llama 3's {nearest}B with {layers:.0f} layers"
    return replace(shape, layers=round(layers)), told


def shape_of_config(config: Mapping[str, Any], model: str) -> ModelShape:
    """Return the shape that a config.json says, of a decoder or of a vision-language wrapper.

    Raises: ConfigError where its `model_type` is not one whose parameters can be counted here.
    """
    wrapper = config.get("model_type") if "vision_config" in config else None
    text = config.get("text_config") or config
    kind = text.get("model_type")
    kind = _TEXT_OF.get(str(kind), kind)
    if kind not in _FAMILIES or (wrapper and wrapper not in WRAPPERS):
        raise _not_counted(model, wrapper or kind)
    tied = config if "tie_word_embeddings" in config else text
    known = _DEFAULTS.get(kind, {}) | {k: v for k, v in text.items() if v is not None}
    if wrapper == "qwen2_5_vl":  # whose attention takes hidden / heads, whatever is said
        known.pop("head_dim", None)
    try:
        shape = _decoder(kind, known, model)
        seen = WRAPPERS[wrapper](config, shape.hidden) if wrapper else 0
    except KeyError as error:
        raise ConfigError(f"{model}: config.json has no {error}. {_INSTEAD}") from error
    except TypeError as error:
        raise ConfigError(
            f"{model}: config.json has a size that is no number. {_INSTEAD}"
        ) from error
    default = known.get("tie_word_embeddings", False)
    return replace(shape, vision=seen, tied=bool(tied.get("tie_word_embeddings", default)))


def _not_counted(model: str, kind: Any) -> ConfigError:
    return ConfigError(
        f"{model}: model_type {kind!r}, whose parameters are not counted here (known are "
        f"{', '.join(sorted({*_FAMILIES, *WRAPPERS}))}). Give its size instead, such as --model 8B."
    )


def _decoder(kind: str, config: Mapping[str, Any], model: str) -> ModelShape:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    sizes = {
        "hidden": hidden,
        "intermediate": config["intermediate_size"],
        "layers": config["num_hidden_layers"],
        "heads": heads,
        "kv_heads": config.get("num_key_value_heads") or heads,
        "vocabulary": config["vocab_size"],
    }
    experts = _experts(kind, config, sizes["layers"])
    _check_sizes(model, [*sizes.values(), *([experts.count, experts.width] if experts else [])])
    bias = kind in _HAVE_ATTENTION_BIAS and bool(config.get("attention_bias"))
    own = {"qkv_bias": bias, "o_bias": bias} | _FAMILIES[kind]
    window, window_layers = _window(kind, config, sizes["layers"])
    return ModelShape(
        **sizes,
        head_width=config.get("head_dim") or hidden // heads,
        mlp_bias=kind == "llama" and bool(config.get("mlp_bias")),
        experts=experts,
        window=window,
        window_layers=window_layers,
        **own,
    )


def _check_sizes(model: str, sizes: list[Any]) -> None:
    odd = [v for v in sizes if type(v) is not int or v < 1]
    if odd:
        raise ConfigError(
            f"{model}: config.json has the size {odd[0]!r}; expected whole numbers from 1. "
            f"{_INSTEAD}"
        )


def _experts(kind: str, config: Mapping[str, Any], layers: Any) -> Experts | None:
    if kind in ("mixtral", "gpt_oss"):
        count, width, mixed = config["num_local_experts"], config["intermediate_size"], layers
    elif kind in ("qwen3_moe", "qwen2_moe"):
        count = config.get("num_experts") or config["num_local_experts"]
        width, mixed = config["moe_intermediate_size"], _sparse_layers(config, layers)
    else:
        return None
    shared = config.get("shared_expert_intermediate_size") if kind == "qwen2_moe" else 0
    active = config["num_experts_per_tok"]
    bias, unfused = kind == "gpt_oss", _UNFUSED.get(kind, ())
    return Experts(count, active, width, mixed, shared or 0, bias=bias, unfused=unfused)


def _sparse_layers(config: Mapping[str, Any], layers: int) -> int:
    """Return how many of Qwen's layers are mixtures."""
    dense, step = config.get("mlp_only_layers") or [], config.get("decoder_sparse_step") or 1
    return sum(n not in dense and (n + 1) % step == 0 for n in range(layers))


def _window(kind: str, config: Mapping[str, Any], layers: int) -> tuple[int, int]:
    """Return the tokens that sliding attention looks back, and how many layers have it."""
    window = config.get("sliding_window")
    if not window or config.get("use_sliding_window") is False:
        return 0, 0
    if kinds := config.get("layer_types"):
        return window, sum(k == "sliding_attention" for k in kinds)
    every = {"gemma3_text": 6, "gemma2": 2, "gpt_oss": 2}.get(kind)
    return window, layers - layers // every if every else layers


def _config_in(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("expected a mapping")
        return config
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no model's config ({error}). {_INSTEAD}") from error


def _config_on_hub(model: str) -> dict[str, Any]:
    try:
        from transformers import AutoConfig

        return dict(AutoConfig.from_pretrained(model, trust_remote_code=False).to_dict())
    except (ImportError, OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"--model {model}: no such folder, and no config from the hub ({first}). {_INSTEAD}"
        ) from error
