"""The models that a run has open: one after another where they share a machine's memory."""

from collections.abc import Callable

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import Engine


def elsewhere(model: ModelConfig) -> bool:
    """Return whether a model runs on a machine that is not ours to fill."""
    return model.engine == "http"


class OpenModels:
    """Opens engines when they are needed, and closes those whose memory the next one needs."""

    def __init__(self, create: Callable[[ModelConfig], Engine]) -> None:
        self._create = create
        self._open: list[tuple[ModelConfig, Engine]] = []

    def use(self, model: ModelConfig) -> Engine:
        """Return the model's engine, the same one as long as nothing else needed its memory."""
        for config, engine in self._open:
            if config == model:
                return engine
        if not elsewhere(model):
            self._close([pair for pair in self._open if not elsewhere(pair[0])])
        engine = self._create(model)
        self._open.append((model, engine))
        return engine

    def close(self) -> None:
        """Close every engine, so that all memory is free; they can be used again."""
        self._close(list(self._open))

    def _close(self, pairs: list[tuple[ModelConfig, Engine]]) -> None:
        for pair in pairs:
            self._open.remove(pair)
            pair[1].close()
