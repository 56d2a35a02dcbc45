"""What one call has tried: how often it failed at each endpoint, and how long it stays away from there."""

import random
from collections import Counter

from ste_plugin.engines.http.endpoint import Endpoint, doubled

_LONGEST_PAUSE_S = 30.0


class Attempts:
    """The failures of one call, and the pauses that follow them: other endpoints may be asked meanwhile."""

    def __init__(self, most_tokens: float, max_attempts: int, backoff_s: float) -> None:
        """`most_tokens`: what the call may use. `max_attempts`: how often it may fail at each endpoint."""
        self.most_tokens = most_tokens
        self._max_attempts, self._backoff_s = max_attempts, backoff_s
        self._failures: Counter[Endpoint] = Counter()
        self._again_at: dict[Endpoint, float] = {}

    @property
    def failures(self) -> int:
        """How often the call has failed, wherever."""
        return self._failures.total()

    def failures_at(self, endpoint: Endpoint) -> int:
        """Return how often the call has failed there."""
        return self._failures[endpoint]

    def may_try(self, endpoint: Endpoint) -> bool:
        """Return whether the call has not yet failed there as often as it may."""
        return self._failures[endpoint] < self._max_attempts

    def wait_s(self, endpoint: Endpoint, now: float) -> float:
        """Return how long until the endpoint takes the call, but for its room."""
        pause = self._again_at.get(endpoint, now) - now
        return max(0.0, pause, endpoint.wait_s(self.most_tokens, now))

    def failed(self, endpoint: Endpoint, now: float) -> None:
        """Count a failure; each further one there doubles the pause, drawn anew for every call."""
        pause = doubled(self._backoff_s, self._failures[endpoint], _LONGEST_PAUSE_S)
        self._failures[endpoint] += 1
        self._again_at[endpoint] = now + pause + random.uniform(0, self._backoff_s)
