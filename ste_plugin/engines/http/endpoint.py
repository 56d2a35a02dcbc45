"""One server: how many calls it may have in flight and per minute, and when it cools down."""

import random
from dataclasses import dataclass

from ste_plugin.engines.http.concurrency import ConcurrencyLimiter
from ste_plugin.engines.http.errors import DOWN, TransientError
from ste_plugin.engines.http.fields import RequestFields
from ste_plugin.engines.http.options import EndpointOptions
from ste_plugin.engines.http.rate_limit import RateLimiter, TokenEstimator
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.usage import TokensRead

_MAX_COOL_DOWN_S = 60.0


def exponential_backoff_s(first_s: float, pauses_before: int, max_s: float) -> float:
    """Return the seconds of a pause that is twice as long after every one before it."""
    return min(first_s * 2.0 ** min(pauses_before, 16), max_s)


class Endpoint:
    """One server: its settings, its limits, and whether it is available."""

    def __init__(
        self,
        options: EndpointOptions,
        key: str,
        concurrency: int,
        backoff_s: float,
        fields: RequestFields | None = None,
    ) -> None:
        self.options, self.key, self._backoff_s = options, key, backoff_s
        self.fields = fields or RequestFields({}, ())
        """What its requests hold, as far as it is known."""
        self.tokens_read = TokensRead()
        """Whether it reads whole prompts."""
        self.limiter = ConcurrencyLimiter(max(1, round(concurrency * options.weight)))
        self.in_flight = 0
        self.times_down = 0
        """How often in a row it was found down."""
        self.last_failure: TransientError | None = None
        self._requests = RateLimiter(options.requests_per_minute)
        self._tokens, self._estimator = RateLimiter(options.tokens_per_minute), TokenEstimator()
        self._down_score = 0
        self._down_since = self._available_at = float("-inf")

    def begin_stage(self) -> None:
        """Forget what need not hold for the requests of another stage."""
        self.limiter.begin_stage()
        self.times_down = self._down_score = 0
        self.last_failure = None

    @property
    def is_below_limit(self) -> bool:
        """Whether one more call may be in flight, cool-down and limits per minute aside."""
        return self.in_flight < self.limiter.limit

    @property
    def load(self) -> float:
        """Calls in flight by weight, the next one included."""
        return (self.in_flight + 1) / self.options.weight

    def is_available(self, now: float) -> bool:
        """Return whether it may be sent calls: it neither cools down nor asked for a pause."""
        return self._available_at <= now

    def wait_s(self, max_tokens: float, now: float) -> float:
        """Return how long a call of so many tokens has to wait, calls in flight aside."""
        return max(
            0.0,
            self._available_at - now,
            self._requests.wait_s(1, now),
            self._tokens.wait_s(self._estimator.estimate(max_tokens), now),
        )

    def begin_call(self, max_tokens: float, now: float) -> "CallInFlight":
        """Count a call in."""
        self.in_flight += 1
        estimated = self._estimator.estimate(max_tokens)
        self._requests.take(1, now)
        self._tokens.take(estimated, now)
        return CallInFlight(self, now, max_tokens, estimated)

    def end_answered(self, call: "CallInFlight", reply: Reply, now: float) -> None:
        """Count a call out that was answered: how fast, and with how many tokens, if it says so.

        To refuse a prompt, a field or several samples took the server neither.
        """
        generated = not reply.refused
        if generated:
            self.limiter.record_answer(now - call.began, self.in_flight)
        self.in_flight -= 1
        self.times_down = self._down_score = 0
        used = reply.prompt_tokens + reply.completion_tokens
        if used or not generated:
            self._tokens.correct(call.estimated_tokens, used)
        if used:
            self._estimator.update(call.max_tokens, used)

    def end_failed(self, call: "CallInFlight", failure: TransientError, now: float) -> None:
        """Count a call out that failed; a server that is down cools down, ever twice as long."""
        self.in_flight -= 1
        self.last_failure = failure
        if not failure.was_received:
            self._tokens.correct(call.estimated_tokens, 0)
        self._available_at = max(self._available_at, now + failure.retry_after_s)
        if failure.overloaded:
            self.limiter.record_refusal(call.began, now)
        if call.began < self._down_since:
            return  # one of many in flight when the server went down
        self._down_score += failure.down_score
        if self._down_score >= DOWN or (self.times_down and failure.down_score):
            self._cool_down(now)

    def _cool_down(self, now: float) -> None:
        seconds = exponential_backoff_s(self._backoff_s, self.times_down, _MAX_COOL_DOWN_S)
        self.times_down += 1
        self._down_score = 0
        self._down_since = now
        self._available_at = max(self._available_at, now + seconds * random.uniform(0.75, 1.25))
        self.limiter.allow_one_probe(now)

    def end_aborted(self) -> None:
        """Count a call out that ended in a way that says nothing about the server."""
        self.in_flight -= 1


@dataclass(frozen=True, slots=True)
class CallInFlight:
    """One call at one endpoint."""

    endpoint: Endpoint
    began: float
    max_tokens: float
    estimated_tokens: float
