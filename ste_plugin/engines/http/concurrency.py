"""How many calls a server may be given at once: found out by its refusals and its latency."""

from math import isqrt

_START = 8
_SLOWER = 4.0
"""A batching server gives many times the tokens at twice the latency; one that only queues passes this
once it is given four times what it can work on."""
_QUICK_S = 2.0
"""Shorter answers say nothing about a server's load: noise of the network and of short replies."""


class ConcurrencyLimiter:
    """Additive increase, multiplicative decrease, between 1 and a bound.

    A round is as many answers as there is room. Room doubles every round until the server first
    resists, and grows by its square root from then on. A refusal halves it, once for all calls that
    were in flight together. A round whose mean latency is over 4 times that of the fastest round (and
    over 2 s) takes a quarter. Only rounds that filled the room let it grow.
    Source: congestion avoidance as in TCP (Jacobson 1988), with latency as the second signal.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = self._first = min(_START, most)
        self._doubling = True
        self._shrunk_at, self._fastest = float("-inf"), float("inf")
        self._answers, self._fullest, self._seconds = 0, 0, 0.0

    def begin_stage(self) -> None:
        """Forget how fast the server was: other prompts take other times."""
        self._fastest = float("inf")
        self._begin_round()

    def answered(self, seconds: float, in_flight: int) -> None:
        """Count an answer, and how many calls were in flight when it came, itself included."""
        self._answers += 1
        self._seconds += seconds
        self._fullest = max(self._fullest, in_flight)
        if self._answers >= self.limit:
            self._end_round(self._seconds / self._answers)

    def refused(self, began: float, now: float) -> None:
        """Halve the room, unless the refused call began before it was last made smaller."""
        if began >= self._shrunk_at:
            self._shrink(self.limit // 2, now)

    def close(self, now: float) -> None:
        """Leave room for one call, that tries whether the server is back; then grow as at first."""
        self._shrink(1, now)
        self._doubling = True

    def _end_round(self, mean_s: float) -> None:
        self._fastest = min(self._fastest, mean_s)
        if mean_s > max(_SLOWER * self._fastest, _QUICK_S):
            self._doubling = False
            if self.limit <= self._first:  # not our calls but the server itself is slower now
                self._fastest = mean_s
            else:
                self.limit = max(self._first, self.limit * 3 // 4)
        elif self._fullest >= self.limit:
            grown = self.limit + (self.limit if self._doubling else isqrt(self.limit))
            self.limit = min(self.most, grown)
        self._begin_round()

    def _shrink(self, limit: int, now: float) -> None:
        self.limit = max(1, limit)
        self._doubling, self._shrunk_at = False, now
        self._begin_round()

    def _begin_round(self) -> None:
        self._answers, self._fullest, self._seconds = 0, 0, 0.0
