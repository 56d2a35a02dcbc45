"""So many a minute: requests, and tokens that are guessed before a call and known after it.

pyrate-limiter was looked at: it keeps a list item for every token, waits in a sleep that no interrupt of
ours can end, and takes nothing back.
"""

_BURST_S = 1.0


class PerMinute:
    """A bucket that holds a second's worth and refills steadily; times are seconds of any one clock.

    In no minute more is taken than allowed, but for the last one taken where a single one is more
    than a second's worth: that leaves a debt, and the next waits until it is paid.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._size = max(1.0, (most or 0) * _BURST_S / 60)
        # The burst comes on top of what flows in, so less flows in.
        self._per_second = (most or 0) * (60 - _BURST_S) / 3600
        self._level, self._counted_at = self._size, float("-inf")

    def wait_s(self, amount: float, now: float) -> float:
        """Return how long until that amount may be taken; 0 is at once."""
        if self._most is None:
            return 0.0
        self._refill(now)
        return max(0.0, (min(amount, self._size) - self._level) / self._per_second)

    def take(self, amount: float, now: float) -> None:
        """Take an amount that need not be waited for."""
        self._refill(now)
        self._level -= amount

    def correct(self, taken: float, used: float) -> None:
        """Put right what was taken on a guess."""
        self._level += taken - used

    def _refill(self, now: float) -> None:
        if now > self._counted_at:
            flowed = (now - self._counted_at) * self._per_second if self._most else 0.0
            self._level = min(self._size, self._level + flowed)
            self._counted_at = now


class TokenGuess:
    """How many tokens a call will use: the share of its most that calls before it have used."""

    def __init__(self) -> None:
        self._share = 0.5

    def guess(self, most: float) -> float:
        """Return the expected tokens of a call that can use `most`."""
        return self._share * most

    def learn(self, most: float, used: float) -> None:
        """Remember what such a call has used."""
        self._share += 0.1 * (used / most - self._share)
