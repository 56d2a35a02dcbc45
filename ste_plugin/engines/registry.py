"""`engine: auto`: the fastest engine that is installed, and one line that says which and why."""

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

from ste_plugin.config import ModelConfig, Strict
from ste_plugin.engines.base import Engine, Place
from ste_plugin.engines.nested import answering_model
from ste_plugin.errors import ConfigError

_DISABLED = ("", "-1")
LOADING = ("auto", "local", "serve", "vllm")
"""Engines that load a model's weights, which vLLM can serve as well."""
_NOWHERE = "http://localhost/v1"
"""The address of a server that is never called."""


def create(model: ModelConfig, place: Place) -> Engine:
    """Return the engine that `resolve_engine` picks, having reported it once by `place.say`.

    Raises: ConfigError for an option that the picked engine does not have.
    """
    from ste_plugin.engines.local import engine as local
    from ste_plugin.engines.vllm import engine as vllm
    from ste_plugin.engines.vllm import server

    chosen = resolve_engine(model, place)
    factories = {"local": local.create, "serve": server.create, "vllm": vllm.create}
    return factories[chosen.engine](chosen, place)


def resolve_engine(model: ModelConfig, place: Place) -> ModelConfig:
    """Return the same model with the engine that `auto` stands for here, its options checked.

    Any other engine is left as it is. Never `http`: whose server it would be cannot be known.
    Raises: ConfigError for an option that the picked engine does not have, naming those that do.
    """
    if model.engine != "auto":
        return model
    engine, why = pick_engine(place)
    _check_options(model, engine, why)
    _report_once(place.say, f"engine: auto is {engine}, as {why}.")
    return model.model_copy(update={"engine": engine})


def behind_server(model: ModelConfig, place: Place) -> ModelConfig:
    """Return the same model as an OpenAI-compatible server is asked for it: by `engine: http`.

    A model that an engine of ours loads is asked for as vLLM's server would be.
    Raises: ConfigError for an engine of a plugin's.
    """
    from ste_plugin.engines.vllm.server import client_of

    model = answering_model(model)
    if model.engine == "http":
        return model
    if model.engine not in LOADING:
        raise ConfigError(
            f"engine: {model.engine}: its requests cannot be written to files; expected one of "
            f"{', '.join(('http', *LOADING))}. Set engine: http, or ask with `ste run`."
        )
    return client_of(model, place, _NOWHERE, concurrency=1)


def pick_engine(place: Place) -> tuple[str, str]:
    """Return the engine's name, and the reason as the end of a sentence."""
    if place.serve.command:
        return "serve", "hosts.serve.command says how to start a server"
    if place.serve.python:
        return "serve", f"hosts.serve.python names vLLM's environment ({place.serve.python})"
    if find_spec("vllm") is None:
        return "local", "vLLM is not installed here (hosts.serve.python can name where it is)"
    if not _sees_gpu():
        return "local", "vLLM is installed, but there is no CUDA device"
    return "vllm", "vLLM is installed here and there is a CUDA device"


def _sees_gpu() -> bool:
    """Return whether vLLM would find a GPU, without initialising one: processes can still fork."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in _DISABLED:
        return False
    import torch

    return torch.cuda.device_count() > 0


def _check_options(model: ModelConfig, engine: str, why: str) -> None:
    known = _options_by_engine()
    for name in (n for n in model.options if n not in known[engine].model_fields):
        others = [e for e, options in known.items() if name in options.model_fields]
        if others:
            raise ConfigError(
                f"options: engine auto is {engine}, as {why}, and has no option {name!r}; "
                f"{' and '.join(others)} {'has' if len(others) == 1 else 'have'} it. Set engine: "
                f"{others[0]}, or leave the option out."
            )


def _options_by_engine() -> dict[str, type[Strict]]:
    from ste_plugin.engines.http.options import HttpOptions
    from ste_plugin.engines.local.options import LocalOptions
    from ste_plugin.engines.vllm.options import VllmOptions
    from ste_plugin.engines.vllm.server import ServeOptions

    return {"local": LocalOptions, "vllm": VllmOptions, "serve": ServeOptions, "http": HttpOptions}


@cache
def _report_once(say: Callable[[str], None], line: str) -> None:
    say(line)
