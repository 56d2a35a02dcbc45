"""`engine: local`: transformers in this process. Settings are checked at once, the model loads late."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from ste_plugin.config import ModelConfig, Positive, Strict
from ste_plugin.engines.base import Engine, Place
from ste_plugin.engines.lazy import LazyEngine
from ste_plugin.engines.model_files import usable_path
from ste_plugin.text.settings_errors import validated


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu|npu)(:\d+)?", value):
        raise ValueError(f"found {value!r}; expected auto, cpu, cuda, cuda:1, mps, xpu or npu")
    return value


class LocalOptions(Strict):
    """`options:` of an `engine: local`."""

    revision: str = "main"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: float32 on a CPU, else what the weights are stored in."""
    device: Annotated[str, AfterValidator(_device)] = "auto"
    """`cpu`, `cuda`, `cuda:1`; `auto` is the first GPU if there is one."""
    max_batch_tokens: Positive | Literal["auto"] = "auto"
    """Upper bound of samples x (prompt + new tokens) held at once; `auto`: by the memory that is free."""
    trust_remote_code: bool = False
    """Run Python code that the model's folder or hub page brings along."""
    threads: Positive | None = None
    """Threads that compute on a CPU; by default OMP_NUM_THREADS, else all cores we may use."""


def create(model: ModelConfig, place: Place) -> Engine:
    """Return an engine that loads its model at the first request.

    Raises: ConfigError for a wrong option; EngineError, later, where the model cannot be loaded.
    """
    options = validated(LocalOptions, model.options, "options of engine local")

    def load_engine() -> Engine:
        path = usable_path(model, place.base)

        from ste_plugin.engines.local.loading import load
        from ste_plugin.engines.local.model import LocalEngine

        return LocalEngine(load(path, options), options, place.say)

    return LazyEngine(load_engine)
