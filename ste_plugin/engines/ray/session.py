"""One stage's requests on all replicas: given out as there is room, asked again after a loss."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from ste_plugin import errors
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.ray.actor import RESTARTED
from ste_plugin.engines.ray.groups import RequestGroups
from ste_plugin.engines.ray.handle import ReplicaHandle
from ste_plugin.engines.ray.room import Patience
from ste_plugin.engines.ray.wire import Event
from ste_plugin.errors import EngineError, SteError

_POLL_S = 1.0
_MAX_LOSSES = 3
"""Times in a row that a replica may be lost before it answers anything."""
_MAX_ASKED = 5
"""Times that a request may lose its replica: it may be what ends them."""


class Session:
    """The driver's loop over what replicas tell."""

    def __init__(
        self,
        replicas: list[ReplicaHandle],
        requests: Iterable[ChatRequest],
        patience: Patience,
        say: Callable[[str], None],
        is_closed: Callable[[], bool],
        lock: AbstractContextManager[Any],
    ) -> None:
        """`replicas` loses those that cannot be used; `lock` is held while Ray is called."""
        self._replicas, self._patience, self._say = replicas, patience, say
        self._groups = RequestGroups(requests)
        self._is_closed, self._lock = is_closed, lock
        self._lost: Counter[str] = Counter()
        self._told: set[str] = set()
        self._at_end = False
        self._failure: SteError | None = None

    def run(self) -> Iterator[Completion]:
        """Yield completions as they come; after a failure those in flight, then it is raised."""
        if not self._replicas:
            raise EngineError("engine ray: no replica is left. Run the same command again.")
        try:
            while (completions := self._work()) is not None:
                yield from completions
        finally:
            with self._lock:
                for replica in [] if self._is_closed() else self._replicas:
                    replica.stop()
        if self._failure:
            raise self._failure

    def _work(self) -> list[Completion] | None:
        """Give out requests, and return what has come meanwhile; None where all is done."""
        with self._lock:  # nothing may be asked of Ray once the engine is closed
            if self._is_closed():
                return None
            self._hand_out()
            if self._at_end and not any(r.in_flight for r in self._replicas):
                return None
            completions = list(self._read_news())
            self._patience.wait(sum(r.state != "starting" for r in self._replicas))
        return completions

    def _hand_out(self) -> None:
        """Give groups of requests to those that want some, the least busy first."""
        given: dict[int, list[ChatRequest]] = {}
        wanting = [r for r in self._replicas if r.wants_requests]
        while wanting and not self._at_end:
            group = self._groups.take()
            self._at_end = not group
            if group:
                replica = min(wanting, key=lambda r: r.in_flight)
                replica.note(group)
                given.setdefault(id(replica), []).extend(group)
                wanting = [r for r in wanting if r.wants_requests]
        for replica in self._replicas:
            requests = given.get(id(replica), [])
            if requests or (self._at_end and replica.needs_end):
                replica.give(requests, last=self._at_end)

    def _read_news(self) -> Iterator[Completion]:
        import ray

        owners = {w: replica for replica in self._replicas for w in replica.waited}
        if not ray.wait(list(owners), num_returns=1, timeout=_POLL_S)[0]:
            return
        ready, _ = ray.wait(list(owners), num_returns=len(owners), timeout=0)
        for one in ready:
            replica = owners[one]
            if one in replica.waited:  # else it was lost meanwhile
                yield from self._read(replica, one)

    def _read(self, replica: ReplicaHandle, ready: Any) -> Iterator[Completion]:
        import ray

        try:
            if replica.state == "starting":
                self._start(replica, ray.get(ready))
                return
            event = replica.read(ready)
        except ray.exceptions.RayError as error:
            self._lose(replica, error)
            return
        if event is not None:
            for line in event.lines:
                self._tell(line, replica)
            yield from (c for c in event.completions if replica.answered(c))
            if event.failure:
                self._fail_at(replica, event)

    def _start(self, replica: ReplicaHandle, found: dict[str, Any]) -> None:
        """Use a replica from now on, unless something is wrong where it is."""
        if found["problem"] == "not installed":
            found["problem"] = (
                f"ste-plugin cannot be imported by {found['python']} ({found['detail']}). Install "
                "it on all machines of the cluster, in the version that is here."
            )
        if found["problem"]:
            self._drop(replica, f"on {found['node']}: {found['problem']}")
        else:
            replica.started(found)

    def _drop(self, replica: ReplicaHandle, problem: str) -> None:
        """Leave a replica out; before anything was answered, that is what has to be set right."""
        replica.kill()
        self._replicas.remove(replica)
        if self._replicas and any(r.has_answered for r in self._replicas):
            self._tell(f"{problem}\nThe other replicas go on without it.", None)
        else:
            self._fail(EngineError(f"engine ray: a replica cannot start {problem}"))

    def _fail_at(self, replica: ReplicaHandle, event: Event) -> None:
        """Ask again what an engine has left when it failed; one that never answered is an error."""
        kind, message = event.failure or ("", "")
        if replica.has_answered and replica.losses < _MAX_LOSSES:
            self._tell(f"its engine failed, and is started again: {message}", replica)
            self._ask_again(replica)
            return
        error = getattr(errors, kind, None)
        words = message if error else f"{kind}: {message}"
        replica.take_back()
        self._fail((error or EngineError)(f"engine ray: on {replica.node}: {words}"))

    def _lose(self, replica: ReplicaHandle, error: Exception) -> None:
        """Ask again elsewhere what was in flight at a replica that is gone; Ray starts it anew."""
        import ray

        reason = str(error).strip().splitlines()[-1][:300]
        where = f"on {replica.node}" if replica.node else "before it ran"
        died = isinstance(error, ray.exceptions.ActorDiedError)
        if isinstance(error, ray.exceptions.RayTaskError) and RESTARTED not in str(error):
            self._fail(EngineError(f"engine ray: {where}: {reason}"))
            replica.take_back()
        self._ask_again(replica)
        if died or replica.losses >= _MAX_LOSSES:
            self._drop(replica, f"{where}: {reason}")
        else:
            self._tell(f"engine ray: a replica was lost {where}; what it had is asked again", None)
            replica.start()

    def _ask_again(self, replica: ReplicaHandle) -> None:
        requests = replica.take_back()
        replica.losses += 1
        self._lost.update(request.key for request in requests)
        self._groups.put_back(requests)
        self._at_end = self._at_end and not requests
        if any(self._lost[request.key] >= _MAX_ASKED for request in requests):
            self._fail(
                EngineError(
                    f"engine ray: a request has lost its replica {_MAX_ASKED} times, last on "
                    f"{replica.node}: it may be what ends them, as one that takes more memory than "
                    "there is. See the logs of Ray there (/tmp/ray/session_latest/logs)."
                )
            )

    def _fail(self, error: SteError) -> None:
        """Give out no more; the first failure is raised once all in flight are answered."""
        self._failure = self._failure or error
        self._groups, self._at_end = RequestGroups(()), True

    def _tell(self, line: str, replica: ReplicaHandle | None) -> None:
        if line not in self._told:
            self._told.add(line)
            self._say(f"engine ray: on {replica.node}: {line}" if replica else line)
