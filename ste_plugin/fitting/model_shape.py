"""The sizes of a model: parameters counted exactly, from a folder, a hub id, or a size like 8B."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import Any

from ste_plugin.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of a dense decoder of the Llama family, named as in transformers' config.json."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    vocabulary: int
    tied: bool = False
    """Whether the output layer shares the embedding's weights."""
    qkv_bias: bool = False
    qk_norm: bool = False

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Return (inputs, outputs) of each linear map of one layer, by its name."""
        q, kv = self.heads * self.head_width, self.kv_heads * self.head_width
        h, i = self.hidden, self.intermediate
        attention = {"q_proj": (h, q), "k_proj": (h, kv), "v_proj": (h, kv), "o_proj": (q, h)}
        return attention | {"gate_proj": (h, i), "up_proj": (h, i), "down_proj": (i, h)}

    @property
    def linear_parameters(self) -> int:
        """Return the number of weights of all layers' linear maps: what 4-bit loading quantises."""
        return self.layers * sum(n * m for n, m in self.linears.values())

    @property
    def layer_parameters(self) -> int:
        """Return the number of parameters of one layer."""
        q, kv = self.heads * self.head_width, self.kv_heads * self.head_width
        biases = (q + 2 * kv) * self.qkv_bias
        norms = 2 * self.hidden + 2 * self.head_width * self.qk_norm
        return self.linear_parameters // self.layers + biases + norms

    @property
    def embedding_parameters(self) -> int:
        """Return the number of parameters of embedding and output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """Return the number of parameters, as the model itself would count them."""
        return self.layers * self.layer_parameters + self.embedding_parameters + self.hidden

    def adapter_parameters(self, rank: int, targets: Collection[str] | None = None) -> int:
        """Return LoRA's parameters: rank x (inputs + outputs) of each adapted map, in every
        layer."""
        chosen = [s for name, s in self.linears.items() if targets is None or name in targets]
        return self.layers * rank * sum(n + m for n, m in chosen)


LLAMA = {
    1: ModelShape(2048, 8192, 16, 32, 8, 64, 128256, tied=True),
    3: ModelShape(3072, 8192, 28, 24, 8, 128, 128256, tied=True),
    8: ModelShape(4096, 14336, 32, 32, 8, 128, 128256),
    70: ModelShape(8192, 28672, 80, 64, 8, 128, 128256),
    405: ModelShape(16384, 53248, 126, 128, 8, 128, 128256),
}
"""Llama 3.1 and 3.2 by the size in their names. Source: their config.json."""

_FAMILY = {"llama", "mistral", "qwen2", "qwen3", "ministral", "smollm3"}
_QKV_BIAS = {"qwen2"}
_QK_NORM = {"qwen3"}


def read_shape(model: str) -> tuple[ModelShape, str]:
    """Return the shape of a model and a word on where it is from.

    `model` is a folder with config.json, a size like 8B, or a hub id, tried in this order.
    Raises: ConfigError where there is no such model, or it is not a dense model of Llama's family.
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
    """Return the shape that a config.json says.

    Raises: ConfigError where its `model_type` is not one whose parameters can be counted here.
    """
    config = config.get("text_config") or config
    kind = config.get("model_type")
    if kind not in _FAMILY:
        raise ConfigError(
            f"{model}: model_type {kind!r}, whose parameters are not counted here (known are "
            f"{', '.join(sorted(_FAMILY))}). Give its size instead, such as --model 8B."
        )
    try:
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        sizes = {
            "hidden": hidden,
            "intermediate": config["intermediate_size"],
            "layers": config["num_hidden_layers"],
            "heads": heads,
            "kv_heads": config.get("num_key_value_heads") or heads,
            "vocabulary": config["vocab_size"],
        }
    except KeyError as error:
        raise ConfigError(f"{model}: config.json has no {error}. {_INSTEAD}") from error
    odd = [v for v in sizes.values() if type(v) is not int or v < 1]
    if odd:
        raise ConfigError(
            f"{model}: config.json has the size {odd[0]!r}; expected whole numbers from 1. "
            f"{_INSTEAD}"
        )
    return ModelShape(
        **sizes,
        head_width=config.get("head_dim") or hidden // heads,
        tied=bool(config.get("tie_word_embeddings")),
        qkv_bias=kind in _QKV_BIAS,
        qk_norm=kind in _QK_NORM,
    )


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


_INSTEAD = "Give a folder with config.json, or a size such as 8B."
