"""An engine without a model that writes down, outside the run, every request that it was paid
for."""

import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Place
from tests.helpers.fake_judge import judgment

IN_FLIGHT = 4
"""Requests that are paid for together: so many a kill may cost."""


def create(model: ModelConfig, _: Place) -> "SteadyEngine":
    """Return an engine whose replies depend on the requests alone."""
    return SteadyEngine(Path(model.options["asked"]), model.options.get("pause_s", 0.0))


class SteadyEngine:
    """Answers a few requests at a time; what is asked of it twice is in its file twice."""

    def __init__(self, asked: Path, pause_s: float) -> None:
        self._asked, self._pause_s = asked, pause_s

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        coming = iter(requests)
        while several := list(islice(coming, IN_FLIGHT)):
            with self._asked.open("ab", buffering=0) as file:
                file.write("".join(f"{r.key} {os.getpid()}\n" for r in several).encode())
            time.sleep(self._pause_s)
            for request in several:
                text = said(request)
                # no token is shared between samples: what is told must not depend on who asks
                # together
                read = sum(len(m.content.split()) for m in request.messages)
                yield Completion(request.key, text, "stop", read, len(text.split()))

    def close(self) -> None:
        return


def said(request: ChatRequest) -> str:
    prompt = request.messages[-1].content
    if '"expected_words"' in prompt:
        return '{"category": "coding", "complexity": 4, "expected_words": 80}'
    if "[Answer A]" in prompt:
        silent = not request.choices and request.seed % 7 == 0
        return "Hard to say." if silent else judgment(prompt, 0.7, request)
    if "Reply with the new instruction alone" in prompt:
        return f"Tell me about topic {len(prompt)} at once, please"
    return f"Reply to <{prompt}>"
