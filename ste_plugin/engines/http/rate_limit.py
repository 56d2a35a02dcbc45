"""Limits per minute: of requests, and of tokens, estimated before a call and known after it.

pyrate-limiter was looked at: it keeps a list item for every token, waits in a sleep that no
interrupt of ours can end, and takes nothing back.
"""

_BURST_S = 1.0


class RateLimiter:
    """A token bucket that holds a second's worth and refills steadily; times are of any one clock.

    No minute exceeds the limit, except where a single amount is more than a second's worth: that
    overdraws the bucket, and the next amount waits until it is refilled.
    """

    def __init__(self, per_minute: int | None) -> None:
        """`per_minute`: None is without a limit."""
        self._per_minute = per_minute
        self._size = max(1.0, (per_minute or 0) * _BURST_S / 60)
        # The burst comes on top of what flows in, so less flows in.
        self._per_second = (per_minute or 0) * (60 - _BURST_S) / 3600
        self._level, self._refilled_at = self._size, float("-inf")

    def wait_s(self, amount: float, now: float) -> float:
        """Return how long until that amount may be taken; 0 is at once."""
        if self._per_minute is None:
            return 0.0
        self._refill(now)
        return max(0.0, (min(amount, self._size) - self._level) / self._per_second)

    def take(self, amount: float, now: float) -> None:
        """Take an amount that need not be waited for."""
        self._refill(now)
        self._level -= amount

    def correct(self, taken: float, used: float) -> None:
        """Give back what was taken by an estimate and not used, or take what is missing."""
        self._level += taken - used

    def _refill(self, now: float) -> None:
        if now > self._refilled_at:
            inflow = (now - self._refilled_at) * self._per_second if self._per_minute else 0.0
            self._level = min(self._size, self._level + inflow)
            self._refilled_at = now


class TokenEstimator:
    """How many tokens a call will use: the share of its maximum that calls before it have used."""

    def __init__(self) -> None:
        self._share = 0.5

    def estimate(self, max_tokens: float) -> float:
        """Return the expected tokens of a call that can use `max_tokens`."""
        return self._share * max_tokens

    def update(self, max_tokens: float, used: float) -> None:
        """Learn from what such a call has used."""
        self._share += 0.1 * (used / max_tokens - self._share)
