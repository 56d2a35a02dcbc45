"""The engines that a run has open: one after another where they share a device's memory."""

from collections.abc import Callable

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import Engine
from ste_plugin.engines.nested import ELSEWHERE, answering_model


def share_hardware(one: ModelConfig, other: ModelConfig) -> bool:
    """Return whether two models need the same memory, so that one must wait for the other.

    Models behind `http` or `decisions` use none of ours. Two others share it unless both name their
    devices (`options.device`, or `options.gpus` as a list of numbers) and these are not the same.
    """
    if {answering_model(one).engine, answering_model(other).engine} & set(ELSEWHERE):
        return False
    here, there = _devices(one), _devices(other)
    return here is None or there is None or bool(here & there)


def _devices(model: ModelConfig) -> frozenset[str] | None:
    """Return the devices that the options name, or None where it could be any of them."""
    if gpus := model.options.get("gpus"):
        return frozenset(f"cuda:{number}" for number in gpus)
    device = str(model.options.get("device", "auto"))
    if device == "auto":
        return None
    return frozenset({"cuda:0" if device == "cuda" else device})


class ModelPool:
    """Opens engines when they are needed, and closes those whose memory the next one needs."""

    def __init__(self, create: Callable[[ModelConfig], Engine]) -> None:
        self._create = create
        self._open: list[tuple[ModelConfig, Engine]] = []

    def use(self, model: ModelConfig) -> Engine:
        """Return the model's engine, the same one as long as nothing else needed its memory."""
        for config, engine in self._open:
            if config == model:
                return engine
        self._close([pair for pair in self._open if share_hardware(pair[0], model)])
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
