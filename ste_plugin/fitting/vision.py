"""Parameters of vision towers and their projectors, by what a wrapper's config.json says."""

from collections.abc import Callable, Mapping
from typing import Any

Config = Mapping[str, Any]


_QWEN = {"in_channels": 3, "temporal_patch_size": 2, "spatial_merge_size": 2}


def _encoder_layer(hidden: int, inner: int) -> int:
    """Return the parameters of a layer with biases, two norms and an MLP without a gate."""
    return 4 * (hidden * hidden + hidden) + 4 * hidden + 2 * hidden * inner + inner + hidden


def _gemma3(config: Config, text: int) -> int:
    """Return those of SigLIP and Gemma 3's projector."""
    v: dict[str, Any] = {"num_channels": 3, "vision_use_head": True, **config["vision_config"]}
    h, i, patch = v["hidden_size"], v["intermediate_size"], v["patch_size"]
    embeddings = h * v["num_channels"] * patch**2 + h + h * (v["image_size"] // patch) ** 2
    head = 2 * h * h + 2 * h + h if v["vision_use_head"] else 0
    if head:  # a probe, attention, one norm and an MLP
        head = h + _encoder_layer(h, i) - 2 * h
    layers = v["num_hidden_layers"] * _encoder_layer(h, i)
    return int(embeddings + layers + 2 * h + head + h * text + h)


def _mistral3(config: Config, text: int) -> int:
    """Return those of Pixtral and Mistral 3's projector."""
    v: dict[str, Any] = {"num_channels": 3, **config["vision_config"]}
    h, i = v["hidden_size"], v["intermediate_size"]
    layer = 4 * h * h + 3 * h * i + 2 * h
    tower = h * v["num_channels"] * v["patch_size"] ** 2 + h + v["num_hidden_layers"] * layer
    merged = h * h * config.get("spatial_merge_size", 2) ** 2
    biases = 2 * text if config.get("multimodal_projector_bias") else 0
    return int(tower + h + merged + h * text + text * text + biases)


def _merger(hidden: int, merge: int, out: int) -> int:
    wide = hidden * merge**2
    return wide * wide + wide + wide * out + out


def _qwen3_vl(config: Config, text: int) -> int:
    """Return those of Qwen3-VL's tower, its merger and the mergers of deeper layers."""
    v: dict[str, Any] = _QWEN | dict(config["vision_config"])
    h, merge, out = v["hidden_size"], v["spatial_merge_size"], v.get("out_hidden_size", text)
    patch = v["in_channels"] * v["temporal_patch_size"] * v["patch_size"] ** 2
    embeddings = h * patch + h + v["num_position_embeddings"] * h
    deeper = len(v["deepstack_visual_indexes"]) * (_merger(h, merge, out) + 2 * h * merge**2)
    layers = v["depth"] * _encoder_layer(h, v["intermediate_size"])
    return int(embeddings + layers + _merger(h, merge, out) + 2 * h + deeper)


def _qwen2_5_vl(config: Config, text: int) -> int:
    """Return those of Qwen2.5-VL's tower and its merger."""
    v: dict[str, Any] = _QWEN | {"patch_size": 14, **config["vision_config"]}
    h, i, out = v["hidden_size"], v["intermediate_size"], v.get("out_hidden_size", text)
    patch = v.get("in_chans", v["in_channels"]) * v["temporal_patch_size"] * v["patch_size"] ** 2
    layer = 2 * h + 4 * (h * h + h) + 3 * h * i + 2 * i + h
    return int(h * patch + v["depth"] * layer + h + _merger(h, v["spatial_merge_size"], out))


WRAPPERS: dict[str, Callable[[Config, int], int]] = {
    "gemma3": _gemma3,
    "mistral3": _mistral3,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "qwen3_vl_moe": _qwen3_vl,
}
"""model_type of a wrapper → (its config, the decoder's width) → parameters outside the decoder."""
