# hooks.py of an engine that waits as a server does: many requests at once, each for its own time.
import heapq
import os
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Engine, Place
from ste_plugin.errors import EngineError
from ste_plugin.hookspecs import hookimpl


@hookimpl
def ste_engines() -> dict[str, str]:
    return {"waiting": "tests.helpers.waiting_engine:create"}


def create(model: ModelConfig, _: Place) -> Engine:
    return WaitingEngine(**model.options)


class WaitingEngine:
    """Answers every request after `seconds` and up to twice that, `at_once` at a time.

    Each process notes in a file of its own in the folder `log` which requests it has taken, and
    takes none before `together` processes are there. It raises at the word `FAIL`, and dies at the
    word `DIE`.
    """

    def __init__(
        self, seconds: float = 0.01, at_once: int = 64, log: str = "", together: int = 1
    ) -> None:
        self._seconds, self._at_once, self._together = seconds, at_once, together
        self._log = Path(log) / f"{os.getpid()}.log" if log else None
        if self._log:
            self._log.with_suffix(".there").touch()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        remaining, waiting = iter(requests), list[tuple[float, str, Completion]]()
        while self._log and len(list(self._log.parent.glob("*.there"))) < self._together:
            time.sleep(0.02)
        while True:
            for request in islice(remaining, self._at_once - len(waiting)):
                self._note(request)
                digest = sha256(request.key.encode()).digest()
                ends = time.monotonic() + self._seconds * (1 + digest[0] / 255)
                text = f"{request.messages[-1].content} {digest.hex()[:8]}"
                completion = Completion(request.key, text, "stop", 1, 2)
                heapq.heappush(waiting, (ends, request.key, completion))
            if not waiting:
                return
            time.sleep(max(0.0, waiting[0][0] - time.monotonic()))
            while waiting and waiting[0][0] <= time.monotonic():
                yield heapq.heappop(waiting)[2]

    def _note(self, request: ChatRequest) -> None:
        if self._log:
            with self._log.open("a") as file:
                file.write(f"{request.key}\n")
        words = request.messages[-1].content.split()
        if "DIE" in words:
            os.kill(os.getpid(), 9)
        if "FAIL" in words:
            raise EngineError("model: the engine has failed.")

    def close(self) -> None:
        return


def asked(log: Path) -> dict[int, list[str]]:
    """Return process → the keys of the requests that it has taken, in order."""
    return {int(path.stem): path.read_text().split() for path in log.glob("*.log")}
