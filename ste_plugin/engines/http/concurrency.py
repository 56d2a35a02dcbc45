"""How many calls a server may have in flight: learned from its refusals and its latency."""

from math import isqrt

_START = 8
_LATENCY_FACTOR = 4.0
"""A batching server gives many times the tokens at twice the latency; one that only queues passes
this factor once it has four times the calls that it can work on."""
_MIN_LATENCY_S = 2.0
"""Shorter answers say nothing about a server's load: noise of the network and of short replies."""


class ConcurrencyLimiter:
    """Additive increase, multiplicative decrease of a limit between 1 and `max_in_flight`.

    A round is as many answers as the limit. The limit doubles every round until the server first
    pushes back, and grows by its square root from then on. A refusal halves it, once for all calls
    that were in flight together. A round whose mean latency is over 4 times that of the fastest
    round (and over 2 s) lowers it by a quarter. Only rounds that reached the limit raise it.
    Source: congestion avoidance as in TCP (Jacobson 1988), with latency as the second signal.
    """

    def __init__(self, max_in_flight: int) -> None:
        self.max_in_flight = max_in_flight
        self.limit = self._first = min(_START, max_in_flight)
        self._slow_start = True
        self._lowered_at, self._fastest_s = float("-inf"), float("inf")
        self._answers, self._peak, self._seconds = 0, 0, 0.0

    def begin_stage(self) -> None:
        """Forget how fast the server was: other prompts take other times."""
        self._fastest_s = float("inf")
        self._begin_round()

    def record_answer(self, seconds: float, in_flight: int) -> None:
        """Count an answer, and how many calls were in flight when it came, itself included."""
        self._answers += 1
        self._seconds += seconds
        self._peak = max(self._peak, in_flight)
        if self._answers >= self.limit:
            self._end_round(self._seconds / self._answers)

    def record_refusal(self, began: float, now: float) -> None:
        """Halve the limit, unless the refused call began before it was last lowered."""
        if began >= self._lowered_at:
            self._lower(self.limit // 2, now)

    def allow_one_probe(self, now: float) -> None:
        """Allow one call that tests whether the server is back; then grow as at first."""
        self._lower(1, now)
        self._slow_start = True

    def _end_round(self, mean_s: float) -> None:
        self._fastest_s = min(self._fastest_s, mean_s)
        if mean_s > max(_LATENCY_FACTOR * self._fastest_s, _MIN_LATENCY_S):
            self._slow_start = False
            if self.limit <= self._first:  # not our calls but the server itself is slower now
                self._fastest_s = mean_s
            else:
                self.limit = max(self._first, self.limit * 3 // 4)
        elif self._peak >= self.limit:
            raised = self.limit + (self.limit if self._slow_start else isqrt(self.limit))
            self.limit = min(self.max_in_flight, raised)
        self._begin_round()

    def _lower(self, limit: int, now: float) -> None:
        self.limit = max(1, limit)
        self._slow_start, self._lowered_at = False, now
        self._begin_round()

    def _begin_round(self) -> None:
        self._answers, self._peak, self._seconds = 0, 0, 0.0
