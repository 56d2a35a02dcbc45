"""The settings of vLLM for a model, the same in this process and behind a server."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from ste_plugin.config import Positive, Strict
from ste_plugin.engines.model_folder import ADAPTER_CONFIG, adapter_base, tokenizer_of
from ste_plugin.errors import ConfigError
from ste_plugin.text.settings_errors import validate_settings

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM can reserve memory for (`vllm.config.lora.MaxLoRARanks`)."""


class VllmOptions(Strict):
    """Those of `options:` that both ways of running vLLM have; by default vLLM's own choice."""

    revision: str = "main"
    """Branch, tag or commit on the hub."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What the weights are computed in; `auto` is what they are stored in."""
    max_model_len: Positive | None = None
    """Longest prompt and answer together; by default the model's own context."""
    tensor_parallel_size: Positive = 1
    """GPUs that share one copy of the model."""
    data_parallel_size: Positive = 1
    """Copies of the model; several need `engine: serve`."""
    gpus: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Numbers of the GPUs to use, counted among those that the environment shows; default: all."""
    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of each GPU's memory that vLLM may fill."""
    max_num_seqs: Positive | None = None
    """Samples that are generated at once."""
    trust_remote_code: bool = False
    """Run Python code from the model's folder or hub page."""
    quantization: str | None = None
    """How the weights are quantised, by vLLM's name for it; by default as their config says."""
    enforce_eager: bool = False
    """Leave out CUDA graphs: starts sooner, generates slower."""
    enable_prefix_caching: bool = True
    """Read what prompts begin with in common only once."""

    @model_validator(mode="after")
    def _enough_gpus(self) -> Self:
        needed = self.tensor_parallel_size * self.data_parallel_size
        if self.gpus and len(set(self.gpus)) < needed:
            raise ValueError(f"gpus: {needed} are needed for the parallel sizes, found {self.gpus}")
        return self


Options = TypeVar("Options", bound=VllmOptions)


def read_options(kind: type[Options], raw: dict[str, Any], engine: str) -> Options:
    """Return the checked settings of that engine.

    Raises: ConfigError naming each wrong one, and those that there are.
    """
    return validate_settings(kind, raw, f"options of engine {engine}")


def vllm_arguments(path: str, options: VllmOptions) -> dict[str, Any]:
    """Return vLLM's arguments for the model at `path`: a folder, a hub id, or an adapter's folder.

    An adapter's base is loaded with memory for the adapter, which every request then has to name.
    """
    own_fields = set(VllmOptions.model_fields) - {"gpus"}
    arguments = options.model_dump(include=own_fields, exclude_defaults=True)
    arguments["enable_prefix_caching"] = options.enable_prefix_caching
    if options.quantization is None:  # some of these have a load format of their own
        arguments["load_format"] = "safetensors"  # other weights are pickles, which can run code
    base = adapter_base(Path(path))
    if base is None:
        return {"model": path, **arguments}
    rank = json.loads((Path(path) / ADAPTER_CONFIG).read_bytes()).get("r", 0)
    return {
        "model": base,
        "tokenizer": tokenizer_of(path),
        **arguments,
        "enable_lora": True,
        "max_loras": 1,
        "max_lora_rank": next((r for r in _LORA_RANKS if r >= rank), rank),
    }


def visible_gpus(options: VllmOptions) -> dict[str, str]:
    """Return the environment variable that shows vLLM the chosen GPUs only, or nothing.

    Raises: ConfigError where the environment does not show as many.
    """
    if not options.gpus:
        return {}
    shown = os.environ.get(_VISIBLE)
    names = shown.split(",") if shown else [str(n) for n in range(max(options.gpus) + 1)]
    if max(options.gpus) >= len(names):
        raise ConfigError(
            f"options.gpus: {list(options.gpus)}, but {_VISIBLE}={shown} shows {len(names)}, "
            "counted from 0."
        )
    return {_VISIBLE: ",".join(names[number] for number in options.gpus)}


def as_flags(arguments: dict[str, Any]) -> list[str]:
    """Return arguments as vLLM's command line has them.

    >>> as_flags({"max_model_len": 512, "enforce_eager": True, "enable_prefix_caching": False})
    ['--max-model-len', '512', '--enforce-eager', '--no-enable-prefix-caching']
    """
    flags = []
    for name, value in arguments.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags += [f"--{flag}", str(value)]
    return flags
