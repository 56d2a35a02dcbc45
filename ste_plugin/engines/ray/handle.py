"""The driver's side of one replica: what it was given, and what it is waited for."""

from collections.abc import Sequence
from itertools import count
from typing import Any, Literal

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.ray.wire import Event, decode_event, encode_requests

_MIN_AHEAD = 16
"""Requests that wait at a replica for its engine, at least; otherwise half of those it works on."""
_sessions = count(1)


class ReplicaHandle:
    """An actor, and what is in flight there."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self.node = ""
        self.has_answered = False
        self.losses = 0
        """Times that it was lost since it last answered."""
        self.start()

    def start(self) -> None:
        """Wait for it to be placed, and to say what is wrong there."""
        self.state: Literal["starting", "idle", "working"] = "starting"
        self._waited: list[Any] = [self._actor.start.options(max_task_retries=-1).remote()]
        self._in_flight: dict[str, ChatRequest] = {}
        self._given = self._taken = self._session = 0
        self._is_ending = False

    def started(self, found: dict[str, Any]) -> None:
        """Note where it runs: it can be given requests."""
        self.node, self._token = found["node"], found["token"]
        self.state, self._waited = "idle", []

    @property
    def waited(self) -> list[Any]:
        """The answers that are waited for; what it tells comes first."""
        return self._waited

    @property
    def in_flight(self) -> int:
        """The number of requests that it has not answered."""
        return len(self._in_flight)

    @property
    def wants_requests(self) -> bool:
        """Whether its engine will soon have taken all that it was given."""
        if self.state == "starting" or self._is_ending:
            return False
        waiting = self._given - self._taken
        return waiting < max(_MIN_AHEAD, (self.in_flight - waiting) // 2)

    @property
    def needs_end(self) -> bool:
        """Whether its engine waits for requests, and does not know yet that none will come."""
        return self.state == "working" and not self._is_ending

    def note(self, requests: Sequence[ChatRequest]) -> None:
        """Count requests that `give` will send it."""
        self._in_flight |= {request.key: request for request in requests}
        self._given += len(requests)

    def give(self, requests: Sequence[ChatRequest], *, last: bool) -> None:
        """Send requests that were noted, in a new session if none is open."""
        if self.state == "idle":
            self._session = next(_sessions)
            self._waited = [self._actor.answer.remote(self._token, self._session)]
            self.state, self._is_ending = "working", False
        self._is_ending = self._is_ending or last
        sent = encode_requests(requests)
        self._waited.append(self._actor.give.remote(self._token, self._session, sent, last))

    def read(self, ready: Any) -> Event | None:
        """Return the event that is ready, if it is one; a session that has ended leaves it idle.

        Raises: RayError where the replica is lost.
        """
        import ray

        if ready is not self._waited[0]:
            self._waited.remove(ready)
            ray.get(ready)
            return None
        try:
            event = decode_event(ray.get(next(ready)))
        except StopIteration:
            self._end_session()
            return None
        self._taken = event.taken
        self._is_ending = self._is_ending or event.failure is not None
        return event

    def answered(self, completion: Completion) -> bool:
        """Forget a request that is answered; return whether it was in flight."""
        self.has_answered, self.losses = True, 0
        return self._in_flight.pop(completion.key, None) is not None

    def take_back(self) -> list[ChatRequest]:
        """Return what is in flight, in its order, and forget it."""
        requests = list(self._in_flight.values())
        self._in_flight = {}
        return requests

    def stop(self) -> None:
        """Cancel what is in flight."""
        if self.state == "working":
            self._actor.stop.remote(self._token, self._session)
            self._end_session()

    def _end_session(self) -> None:
        self.state, self._waited, self._is_ending = "idle", [], False
        self._given = self._taken = 0
        self._in_flight = {}  # an engine that left some out is told of where all are counted

    def end(self) -> Any:
        """Return the answer to wait for before its process is ended."""
        return self._actor.close.remote()

    def kill(self) -> None:
        """End its process, whatever it does; nothing is waited for any more."""
        import ray

        self._waited, self._in_flight = [], {}
        ray.kill(self._actor)
