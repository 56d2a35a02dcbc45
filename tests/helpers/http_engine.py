"""An HTTP engine with short pauses, requests with defaults, and scripts that always do the same."""

from collections.abc import Iterator
from typing import Any

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Message, Sampling
from ste_plugin.engines.http.engine import HttpEngine, create
from ste_plugin.errors import EngineError
from tests.helpers.builders import HERE
from tests.helpers.chat_server import ChatServer

FORCED = "I compared both.\n\nFinal verdict: [["


def engine(base_url: str | None = None, model: str = "tiny", **options: Any) -> HttpEngine:
    settings = {"base_url": base_url, "backoff_s": 0.001, "max_attempts": 3} | options
    return create(ModelConfig(model=model, engine="http", options=settings), HERE)


def wanted(
    text: str = "Name a fruit.",
    samples: int = 1,
    prefix: str = "",
    choices: tuple[str, ...] = (),
    **sampling: Any,
) -> list[ChatRequest]:
    how = Sampling(**({"temperature": 1.0, "max_new_tokens": 64} | sampling))
    turns = (Message("user", text),)
    return [ChatRequest("tiny@main", turns, how, i, prefix, choices) for i in range(samples)]


def prompts(count: int) -> Iterator[ChatRequest]:
    """Yield one request each for so many prompts."""
    for i in range(count):
        yield from wanted(f"Prompt {i}")


def answers(model: HttpEngine, requests: list[ChatRequest]) -> list[Completion]:
    found = {c.key: c for c in model.complete(requests)}
    return [found[r.key] for r in requests]


def refused(server: ChatServer, **options: Any) -> str:
    with pytest.raises(EngineError) as caught:
        list(engine(server.base_url, **options).complete(wanted()))
    return str(caught.value)


def always(fault: Any) -> Any:
    return lambda _number: fault


def says(said: Any) -> Any:
    return lambda _body, _index: said
