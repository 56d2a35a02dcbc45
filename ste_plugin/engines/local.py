"""`engine: local`: transformers in this process. Settings are checked at once, the model loads late."""

from typing import Literal

from pydantic import ValidationError

from ste_plugin.config import ModelConfig, Positive, Strict
from ste_plugin.engines.base import Engine, Place
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.lazy import LazyEngine
from ste_plugin.errors import ConfigError


class LocalOptions(Strict):
    """`options:` of an `engine: local`."""

    revision: str = "main"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: float32 on a CPU, else what the weights are stored in."""
    device: str = "auto"
    max_batch_tokens: Positive = 16384
    """Upper bound of rows x (prompt + new tokens) held at once."""


def create(model: ModelConfig, place: Place) -> Engine:
    """Return an engine that loads its model at the first request.

    Raises: ConfigError for a wrong option; EngineError, later, where the model cannot be loaded.
    """
    try:
        options = LocalOptions(**model.options)
    except ValidationError as error:
        found = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
        known = ", ".join(LocalOptions.model_fields)
        raise ConfigError(f"options of the local engine: {found}. There are: {known}.") from error

    def load() -> Engine:
        from ste_plugin.engines.local_model import LocalEngine

        return LocalEngine(model_path(model, place.base), options)

    return LazyEngine(load)
