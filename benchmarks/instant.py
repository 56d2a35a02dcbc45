"""An engine that answers at once from prepared texts, so that all the time left is ste's own."""

import random
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Completion, Place
from ste_plugin.hookspecs import hookimpl

BETTER = "As asked: "
"""The better answer begins so: how a judge without a model knows it."""
WORDS = [
    "answer",
    "first",
    "second",
    "instruction",
    "states",
    "gives",
    "asks",
    "step",
    "result",
    "number",
    "correct",
    "wrong",
    "because",
    "however",
    "reader",
    "example",
    "clear",
    "vague",
    "missing",
    "requirement",
    "checks",
    "value",
    "explains",
    "shorter",
    "follows",
]
TOKENS = 150


@hookimpl
def ste_engines() -> dict[str, str]:
    return {"instant": "benchmarks.instant:create"}


def create(model: ModelConfig, _: Place) -> "InstantEngine":
    """Return an engine whose judgments are right with the chance `options: {accuracy: …}`."""
    return InstantEngine(float(model.options.get("accuracy", 0.75)))


def prose(rng: random.Random, characters: int) -> str:
    """Return words of about that many characters in all, in sentences."""
    text = ""
    while len(text) < characters:
        text += " ".join(rng.choices(WORDS, k=12)).capitalize() + ".\n"
    return text[:characters].strip()


_SHOWN_FIRST = f"[Answer A]\n{BETTER}"
_RNG = random.Random(0)
_TEXTS = [prose(_RNG, 580) for _ in range(256)]
_REPLIES = {v: [f"{t}\nFinal verdict: [[{v}]]" for t in _TEXTS] for v in "AB"}


class InstantEngine:
    """A judge without a model: right with a given chance, independently for each sample."""

    def __init__(self, accuracy: float) -> None:
        self._below = int(accuracy * 2**32)

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield one reply of about 600 characters per request, in order."""
        for request in requests:
            key = request.key
            drawn = int.from_bytes(blake2b(key.encode(), digest_size=4).digest())
            gold = "A" if request.messages[0].content.rfind(_SHOWN_FIRST) >= 0 else "B"
            right = drawn < self._below
            letter = gold if right else "BA"[gold == "B"]
            text = _REPLIES[letter][drawn % 256]
            yield Completion(key, text, "stop", 0 if request.sample_index else 600, TOKENS)

    def close(self) -> None:
        """Nothing is held."""
