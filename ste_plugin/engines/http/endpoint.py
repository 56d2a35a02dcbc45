"""One server: how many calls it is given at once and a minute, and when it rests."""

import random
from dataclasses import dataclass

from ste_plugin.engines.http.concurrency import ConcurrencyLimiter
from ste_plugin.engines.http.errors import DOWN, Transient
from ste_plugin.engines.http.options import EndpointOptions
from ste_plugin.engines.http.rate_limit import PerMinute, TokenGuess
from ste_plugin.engines.http.response import NO_SAMPLES, TOO_LONG, Reply

_LONGEST_REST_S = 60.0


def doubled(first_s: float, before: int, longest_s: float) -> float:
    """Return the seconds of a pause that is twice as long after every one before it."""
    return min(first_s * 2.0 ** min(before, 16), longest_s)


class Endpoint:
    """One server: its settings, how much room it has, and whether it rests."""

    def __init__(
        self, options: EndpointOptions, key: str, concurrency: int, backoff_s: float
    ) -> None:
        self.options, self.key, self._backoff_s = options, key, backoff_s
        self.limiter = ConcurrencyLimiter(max(1, round(concurrency * options.weight)))
        self.in_flight = 0
        self.rests = 0
        """Times in a row that it was found down."""
        self.last_failure: Transient | None = None
        self._requests = PerMinute(options.requests_per_minute)
        self._tokens, self._guess = PerMinute(options.tokens_per_minute), TokenGuess()
        self._strikes = 0
        self._rested_at = self._awake_at = float("-inf")

    def begin_stage(self) -> None:
        """Forget what is no longer so when other requests come."""
        self.limiter.begin_stage()
        self.rests = self._strikes = 0
        self.last_failure = None

    @property
    def has_room(self) -> bool:
        """Whether one more call may be in flight, were it not for rests and limits a minute."""
        return self.in_flight < self.limiter.limit

    @property
    def load(self) -> float:
        """Calls in flight by weight, the next one included."""
        return (self.in_flight + 1) / self.options.weight

    def is_awake(self, now: float) -> bool:
        """Return whether it may be asked: it is not known to be down, and wants no pause."""
        return self._awake_at <= now

    def wait_s(self, most_tokens: float, now: float) -> float:
        """Return how long a call that can use so many tokens has to wait for anything but room."""
        return max(
            0.0,
            self._awake_at - now,
            self._requests.wait_s(1, now),
            self._tokens.wait_s(self._guess.guess(most_tokens), now),
        )

    def enter(self, most_tokens: float, now: float) -> "Visit":
        """Count a call in."""
        self.in_flight += 1
        guessed = self._guess.guess(most_tokens)
        self._requests.take(1, now)
        self._tokens.take(guessed, now)
        return Visit(self, now, most_tokens, guessed)

    def answered(self, visit: "Visit", reply: Reply, now: float) -> None:
        """Count a call out that was answered: how fast, and with how many tokens, if the server tells.

        A refusal to read so long a prompt, or to give several samples, cost it neither.
        """
        generated = reply is not TOO_LONG and reply is not NO_SAMPLES
        if generated:
            self.limiter.answered(now - visit.began, self.in_flight)
        self.in_flight -= 1
        self.rests = self._strikes = 0
        used = reply.prompt_tokens + reply.completion_tokens
        if used or not generated:
            self._tokens.correct(visit.guessed_tokens, used)
        if used:
            self._guess.learn(visit.most_tokens, used)

    def failed(self, visit: "Visit", failure: Transient, now: float) -> None:
        """Count a call out that failed; a server that is down rests, twice as long every time."""
        self.in_flight -= 1
        self.last_failure = failure
        if failure.unheard:
            self._tokens.correct(visit.guessed_tokens, 0)
        self._awake_at = max(self._awake_at, now + failure.retry_after_s)
        if failure.busy:
            self.limiter.refused(visit.began, now)
        if visit.began < self._rested_at:
            return  # one of many in flight when the server went down
        self._strikes += failure.strikes
        if self._strikes >= DOWN or (self.rests and failure.strikes):
            rest = doubled(self._backoff_s, self.rests, _LONGEST_REST_S)
            self.rests += 1
            self._strikes = 0
            self._rested_at = now
            self._awake_at = max(self._awake_at, now + rest * random.uniform(0.75, 1.25))
            self.limiter.close(now)

    def left(self) -> None:
        """Count a call out that ended in a way that says nothing about the server."""
        self.in_flight -= 1


@dataclass(frozen=True, slots=True)
class Visit:
    """One call at one endpoint."""

    endpoint: Endpoint
    began: float
    most_tokens: float
    guessed_tokens: float
