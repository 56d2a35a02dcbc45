# hooks.py of an engine that says when it begins, and goes on when a file `go on` is there.
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Place
from ste_plugin.hookspecs import hookimpl
from ste_plugin.testing import FakeEngine


@hookimpl
def ste_engines() -> dict[str, str]:
    return {"held": "tests.helpers.held_engine:create"}


def create(_model: ModelConfig, place: Place) -> FakeEngine:
    return Held(place.base)


class Held(FakeEngine):
    """Prefers whatever is shown first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(lambda _: "It fits. [[A]]")
        self._folder = folder

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        (self._folder / "began").touch()
        while not (self._folder / "go on").exists():
            time.sleep(0.01)
        yield from super().complete(requests)
