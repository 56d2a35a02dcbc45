"""Between the driver's calls to a replica and its engine, which run in threads of their own."""

from collections import deque
from collections.abc import Iterator, Sequence
from threading import Condition
from time import monotonic

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.ray.wire import Event

_PAUSE_S = 0.02
"""Between events: what comes in between is told at once."""


class Exchange:
    """The requests of one session that wait for the engine, and what it has to tell."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: deque[ChatRequest] = deque()
        self._completions: list[Completion] = []
        self._lines: list[str] = []
        self._failure: tuple[str, str] | None = None
        self._taken = self._told = 0
        self._is_last = self._ended = self.stopped = False

    def give(self, requests: Sequence[ChatRequest], last: bool) -> None:
        """Add requests for the engine; `last` says that no others follow."""
        with self._changed:
            self._waiting.extend(requests)
            self._is_last = self._is_last or last
            self._changed.notify_all()

    def stop(self) -> None:
        """End the session: requests that the engine has not taken are forgotten."""
        with self._changed:
            self.stopped = self._is_last = True
            self._waiting.clear()
            self._changed.notify_all()

    def take(self) -> Iterator[ChatRequest]:
        """Yield the requests as the engine takes them, waiting for each."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_last)
                if not self._waiting:
                    return
                request = self._waiting.popleft()
                self._taken += 1
                self._changed.notify_all()
            yield request

    def add(self, completion: Completion) -> None:
        """Add a completion for the driver."""
        with self._changed:
            self._completions.append(completion)
            self._changed.notify_all()

    def say(self, line: str) -> None:
        """Add a line for a person."""
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def end(self, failure: tuple[str, str] | None) -> None:
        """Say that the engine is done, or why it failed."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def events(self) -> Iterator[Event]:
        """Yield what is new, at most every so often, until the engine is done."""
        while True:
            with self._changed:
                self._changed.wait_for(self._has_news)
                event = Event(self._taken, self._completions, self._lines, self._failure)
                self._completions, self._lines, self._told = [], [], self._taken
                ended = self._ended
            yield event
            if ended:
                return
            self._pause()

    def _has_news(self) -> bool:
        return bool(self._completions or self._lines or self._ended or self._taken != self._told)

    def _pause(self) -> None:
        """Wait until the next event may be told; the end is told at once."""
        until = monotonic() + _PAUSE_S
        with self._changed:
            while not self._ended and (left := until - monotonic()) > 0:
                self._changed.wait(left)
