"""What one call has tried: how often it failed per endpoint, and how long it backs off there."""

import random
from collections import Counter

from ste_plugin.engines.http.endpoint import Endpoint, exponential_backoff_s

_MAX_PAUSE_S = 30.0


class Attempts:
    """The failures of one call, and its pauses: other endpoints may be tried meanwhile."""

    def __init__(
        self,
        max_tokens: float,
        max_attempts: int,
        backoff_s: float,
        preferred: Endpoint | None = None,
    ) -> None:
        """`max_tokens`: what the call may use; `max_attempts`: failures allowed per endpoint."""
        self.max_tokens, self._preferred = max_tokens, preferred
        self._max_attempts, self._backoff_s = max_attempts, backoff_s
        self._failures: Counter[Endpoint] = Counter()
        self._retry_at: dict[Endpoint, float] = {}

    @property
    def failures(self) -> int:
        """How often the call has failed, wherever."""
        return self._failures.total()

    def preference(self, endpoint: Endpoint) -> tuple[int, bool, float]:
        """Return what is least for the endpoint to try next: where it failed least, of those the
        preferred one, else the least loaded."""
        return self._failures[endpoint], endpoint is not self._preferred, endpoint.load

    def may_try(self, endpoint: Endpoint) -> bool:
        """Return whether the call has not yet failed there as often as it may."""
        return self._failures[endpoint] < self._max_attempts

    def wait_s(self, endpoint: Endpoint, now: float) -> float:
        """Return how long until the endpoint takes the call, its limit of calls in flight aside."""
        pause = self._retry_at.get(endpoint, now) - now
        return max(0.0, pause, endpoint.wait_s(self.max_tokens, now))

    def record_failure(self, endpoint: Endpoint, now: float) -> None:
        """Count a failure; each further one there doubles the pause, to which jitter is added."""
        pause = exponential_backoff_s(self._backoff_s, self._failures[endpoint], _MAX_PAUSE_S)
        self._failures[endpoint] += 1
        self._retry_at[endpoint] = now + pause + random.uniform(0, self._backoff_s)
