"""Which call is sent next, and to which server: prompts that begin alike go to the same one.

A server reads a prompt's beginning once and keeps it: samples of one prompt, both orders of a pair
and all pairs of an instruction cost less where one server has them. So the least loaded server is
given, of the next few calls, the first one that belongs to it.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import log

from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.load_balancer import LoadBalancer
from ste_plugin.engines.http.request import Call

_READ_AHEAD = 1
"""Calls that may wait for their own server, for each one that may be in flight: more save nothing
(measured on two servers, with four samples of each pair and order in calls of their own)."""
_PATIENCE = 8
"""Calls that may be sent before one that waits, for each one that may be in flight: none waits till
the end of a stage for a server that is slower than its weight says."""
_KEPT = 4096
"""Groups whose server is remembered; it is the same again for most that are forgotten."""


@dataclass(frozen=True, slots=True)
class RoutedCall:
    """A call, and the server that it goes to as long as that takes calls."""

    call: Call
    endpoint: Endpoint


class Router:
    """The calls of one stage, in the order in which they are sent."""

    def __init__(self, calls: Iterator[Call], balancer: LoadBalancer) -> None:
        """`calls` are read only as far as they can be sent, or wait for their own server."""
        self._calls, self._balancer = calls, balancer
        self._waiting: deque[tuple[Call, int]] = deque()  # and how many were sent before it came
        self._sent = 0
        self._running: Counter[Endpoint] = Counter()
        self._rankings: OrderedDict[str, list[Endpoint]] = OrderedDict()

    def next_call(self) -> RoutedCall | None:
        """Return what is sent next, or None where no call is left.

        It goes to the least loaded server: the first of the calls read ahead that belongs there. If
        none does, the last of them moves there, and with it what has its affinity; and so does the
        first of them once it has waited for long.
        """
        available = self._balancer.available
        endpoint = min(available, key=self._load)
        place = self._place(endpoint, available)
        if place is None:
            return None
        call, _ = self._waiting[place]
        del self._waiting[place]
        if self._home(call, available) is not endpoint:
            self._move(call, endpoint)
        self._running[endpoint] += 1
        self._sent += 1
        return RoutedCall(call, endpoint)

    def _place(self, endpoint: Endpoint, available: Sequence[Endpoint]) -> int | None:
        """Return which of the waiting calls an endpoint is given, or None where none is left."""
        most = _PATIENCE * self._balancer.in_flight_limit
        if self._waiting and self._sent - self._waiting[0][1] > most:
            return 0
        homes = ((i, self._home(call, available)) for i, call in enumerate(self._read()))
        place = next((i for i, home in homes if home is endpoint), None)
        if place is None and self._waiting:
            return len(self._waiting) - 1
        return place

    def end_call(self, endpoint: Endpoint, owed: Iterable[Call]) -> None:
        """Count a call out; calls for what it did not give are sent before others."""
        self._running[endpoint] -= 1
        self._waiting.extendleft((call, self._sent) for call in owed)

    def _load(self, endpoint: Endpoint) -> tuple[bool, float]:
        running = self._running[endpoint]
        return running >= endpoint.limiter.limit, (running + 1) / endpoint.options.weight

    def _read(self) -> Iterator[Call]:
        """Yield the calls that wait, then further ones as long as there is room for them."""
        yield from [call for call, _ in self._waiting]
        several = len(self._balancer.endpoints) > 1
        most = _READ_AHEAD * self._balancer.in_flight_limit if several else 1
        while len(self._waiting) < most and (call := next(self._calls, None)):
            self._waiting.append((call, self._sent))
            yield call

    def _home(self, call: Call, available: Sequence[Endpoint]) -> Endpoint:
        """Return the server that a call belongs to, of those that take calls."""
        return next(e for e in self._ranking(call) if e in available)

    def _move(self, call: Call, endpoint: Endpoint) -> None:
        """Have an endpoint come first for what has the call's affinity."""
        ranking = self._ranking(call)
        ranking.remove(endpoint)
        ranking.insert(0, endpoint)

    def _ranking(self, call: Call) -> list[Endpoint]:
        affinity = call.first.affinity or call.first.prompt_key
        if affinity not in self._rankings:
            self._rankings[affinity] = rank(affinity, self._balancer.endpoints)
            if len(self._rankings) > _KEPT:
                self._rankings.popitem(last=False)
        return self._rankings[affinity]


def rank(affinity: str, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Return the endpoints in the order in which an affinity prefers them.

    Each comes first for a share of all affinities that is its weight's, the same ones in every run;
    where one is added or removed, the order of the others stays.
    Source: weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and Schomaker
    2005).
    """

    def distance(endpoint: Endpoint) -> float:
        content = f"{endpoint.options.url} {endpoint.options.model} {affinity}".encode(
            "utf-8", "replace"
        )
        drawn = int.from_bytes(blake2b(content, digest_size=6).digest()) + 0.5
        return -log(drawn / 2**48) / endpoint.options.weight

    return sorted(endpoints, key=distance)
