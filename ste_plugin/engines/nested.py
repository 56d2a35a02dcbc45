"""Engines that hold others: which of a model's settings say what its answers are made of."""

from typing import Any

from ste_plugin.config import ModelConfig

ELSEWHERE = ("http", "decisions")
"""Engines that ask a server of somebody's, which has weights that a run cannot change."""
DEFAULT_ENGINE = "vllm"
"""Of the replicas of `engine: ray`."""
MAIN = "main"
"""The revision of a hub id that names none."""


def answering_model(model: ModelConfig) -> ModelConfig:
    """Return a model as the engine that answers is given it.

    Under `engine: ray` that is the engine of its replicas: its weights and its options make the
    answers, wherever they are made. Any other model is returned as it is; so is one whose nested
    settings cannot be read, which its engine refuses.
    """
    options = model.options.get("engine_options", {})
    if model.engine != "ray" or not isinstance(options, dict):
        return model
    engine = str(model.options.get("engine", DEFAULT_ENGINE))
    return model.model_copy(update={"engine": engine, "options": options})


def revision_of(model: ModelConfig) -> str:
    """Return the revision of a model's files on the hub, as the settings of its engine name it."""
    return str(answering_model(model).options.get("revision") or MAIN)


def with_trained_weights(model: ModelConfig, path: str) -> ModelConfig:
    """Return a model with a trained one in its place; a revision was that of the old weights."""
    options = _without_revision(model.options)
    if answering_model(model) is not model:
        nested = model.options.get("engine_options", {})
        options |= {"engine_options": _without_revision(nested)} if nested else {}
    return model.model_copy(update={"model": path, "options": options})


def _without_revision(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "revision"}
