"""Several servers of the same weights: which one a call goes to."""

from collections.abc import Sequence
from threading import Condition, Event
from time import monotonic

from ste_plugin.engines.http.endpoint import Endpoint, Visit
from ste_plugin.engines.http.errors import Transient
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.retry import Attempts


class NoneLeft(Exception):
    """Every endpoint where a call may still be tried was found down as often as that may be."""


class Closed(Exception):
    """Nothing more is asked."""


class Endpoints:
    """All servers of an engine, shared by its threads."""

    def __init__(self, each: Sequence[Endpoint], most_rests: int) -> None:
        self.each = tuple(each)
        self._most_rests = most_rests
        self._changed = Condition()

    @property
    def most(self) -> int:
        """The most calls that can ever be in flight."""
        return sum(e.limiter.most for e in self.each)

    @property
    def calls_allowed(self) -> int:
        """How many calls may be in flight now: at least one, to find out whether a server is back."""
        with self._changed:
            now = monotonic()
            return max(1, sum(e.limiter.limit for e in self.each if e.is_awake(now)))

    def begin_stage(self) -> None:
        """Forget what is no longer so when other requests come."""
        with self._changed:
            for endpoint in self.each:
                endpoint.begin_stage()

    def enter(self, attempts: Attempts, closed: Event) -> Visit:
        """Wait for an endpoint that takes the call and has room, and count it in.

        That is the one where it failed least; of several the least loaded by weight.
        Raises: NoneLeft, or Closed once the event is set and `wake` was called.
        """
        left = [e for e in self.each if attempts.may_try(e)]
        with self._changed:
            while not closed.is_set():
                if all(e.rests >= self._most_rests for e in left):
                    raise NoneLeft
                now = monotonic()
                waits = {e: attempts.wait_s(e, now) for e in left if e.has_room}
                ready = [e for e, seconds in waits.items() if not seconds]
                if ready:
                    best = min(ready, key=lambda e: (attempts.failures_at(e), e.load))
                    return best.enter(attempts.most_tokens, now)
                self._changed.wait(min(waits.values(), default=None))
            raise Closed

    def leave(self, visit: Visit, outcome: Reply | Transient | None) -> None:
        """Count a call out: the reply to it, its failure, or None for neither."""
        with self._changed:
            now = monotonic()
            if isinstance(outcome, Transient):
                visit.endpoint.failed(visit, outcome, now)
            elif outcome is None:
                visit.endpoint.left()
            else:
                visit.endpoint.answered(visit, outcome, now)
            self._changed.notify_all()

    def wake(self) -> None:
        """Let those who wait look again whether they are still wanted."""
        with self._changed:
            self._changed.notify_all()
