"""Several servers of the same weights: which one a call goes to."""

from collections.abc import Sequence
from threading import Condition, Event
from time import monotonic

from ste_plugin.engines.http.endpoint import CallInFlight, Endpoint
from ste_plugin.engines.http.errors import SessionClosed, TransientError
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.retry import Attempts


class NoEndpointLeft(Exception):
    """Every endpoint where a call may still be tried was found down as often as is allowed."""


class LoadBalancer:
    """All servers of an engine, shared by its threads."""

    def __init__(self, endpoints: Sequence[Endpoint], max_times_down: int) -> None:
        self.endpoints = tuple(endpoints)
        self._max_times_down = max_times_down
        self._changed = Condition()

    @property
    def max_in_flight(self) -> int:
        """The most calls that can ever be in flight."""
        return sum(e.limiter.max_in_flight for e in self.endpoints)

    @property
    def available(self) -> Sequence[Endpoint]:
        """The servers that take calls now; all where none does."""
        with self._changed:
            now = monotonic()
            return [e for e in self.endpoints if e.is_available(now)] or self.endpoints

    @property
    def in_flight_limit(self) -> int:
        """How many calls may be in flight now: at least one, to test whether a server is back."""
        with self._changed:
            now = monotonic()
            return max(1, sum(e.limiter.limit for e in self.endpoints if e.is_available(now)))

    def begin_stage(self) -> None:
        """Forget what need not hold for the requests of another stage."""
        with self._changed:
            for endpoint in self.endpoints:
                endpoint.begin_stage()

    def begin_call(self, attempts: Attempts, closed: Event) -> CallInFlight:
        """Wait for an endpoint that may take the call, and count it in.

        That is the one where it failed least; of several the preferred one, else the least loaded
        by weight.
        Raises: NoEndpointLeft; SessionClosed once the event is set and `wake` was called.
        """
        allowed = [e for e in self.endpoints if attempts.may_try(e)]
        with self._changed:
            while not closed.is_set():
                if all(e.times_down >= self._max_times_down for e in allowed):
                    raise NoEndpointLeft
                now = monotonic()
                waits = {e: attempts.wait_s(e, now) for e in allowed if e.is_below_limit}
                ready = [e for e, seconds in waits.items() if not seconds]
                if ready:
                    best = min(ready, key=attempts.preference)
                    return best.begin_call(attempts.max_tokens, now)
                self._changed.wait(min(waits.values(), default=None))
            raise SessionClosed

    def end_call(self, call: CallInFlight, outcome: Reply | TransientError | None) -> None:
        """Count a call out: the reply to it, its failure, or None for neither."""
        with self._changed:
            now = monotonic()
            if isinstance(outcome, TransientError):
                call.endpoint.end_failed(call, outcome, now)
            elif outcome is None:
                call.endpoint.end_aborted()
            else:
                call.endpoint.end_answered(call, outcome, now)
            self._changed.notify_all()

    def wake(self) -> None:
        """Let those that wait look again whether they are closed."""
        with self._changed:
            self._changed.notify_all()
