"""One conversation with all servers: posts with retries, and messages for when none will answer."""

from threading import Event
from time import monotonic

from ste_plugin.engines.http.connection import Body, Connections
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.errors import Transient
from ste_plugin.engines.http.load_balancer import Closed, Endpoints, NoneLeft
from ste_plugin.engines.http.options import HttpOptions
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.retry import Attempts
from ste_plugin.errors import EngineError

_CHARACTERS_A_TOKEN = 3.0
"""Fewer than in English, so that most prompts are guessed too long."""


class HttpSession:
    """What all calls of one stage go through, from many threads, until it is stopped."""

    def __init__(self, options: HttpOptions, endpoints: Endpoints) -> None:
        self._options, self._endpoints = options, endpoints
        keys = frozenset(e.key for e in endpoints.each if e.key)
        self._connections = Connections(options, keys, endpoints.most)
        self._winding_down = Event()

    def wind_down(self) -> None:
        """Let calls in flight finish, but try none again."""
        self._winding_down.set()
        self._endpoints.wake()

    def stop(self) -> None:
        """End every call and every wait at once; calling it twice is harmless."""
        self.wind_down()
        self._connections.close()

    def post(self, body: Body, n: int) -> Reply:
        """Return the reply to a chat request for n samples, from whichever endpoint gives one.

        A prompt too long for the model's context yields an empty reply, cut by length. Where
        options.samples is auto, the reply may hold fewer than n samples.
        Raises: EngineError where a server refuses, or all have failed as often as they may.
        """
        options = self._options
        attempts = Attempts(_most_tokens(body, n), options.max_attempts, options.backoff_s)
        reply = None
        try:
            while reply is None:
                reply = self._attempt(body, n, attempts)
            return reply
        except NoneLeft:
            how = f"found down {options.max_attempts} time(s) in a row"
            if attempts.failures:
                how = f"no usable answer in {attempts.failures} attempt(s)"
        except Closed:
            how = "the engine was closed during a call"
        raise EngineError(self._given_up(how))

    def _attempt(self, body: Body, n: int, attempts: Attempts) -> Reply | None:
        """Return the reply, or None where the call has failed and may be tried again."""
        visit = self._endpoints.enter(attempts, self._winding_down)
        endpoint = visit.endpoint
        outcome: Reply | Transient | None = None
        try:
            own = body | {"model": endpoint.options.model}
            outcome = self._connections.exchange(endpoint, own, n)
        except Transient as failure:
            outcome = failure
            attempts.failed(endpoint, monotonic())
        finally:
            self._endpoints.leave(visit, outcome)
        return outcome if isinstance(outcome, Reply) else None

    def _given_up(self, how: str) -> str:
        """Return that nothing answers, with what each endpoint said last and what to do about it."""
        each = self._endpoints.each
        if len(each) == 1:
            return self._last_words(each[0], f"{how}; the last: ")
        told = "\n".join(self._last_words(e) for e in each)
        return f"{len(each)} endpoints, {how}; the last of each:\n{told}"

    def _last_words(self, endpoint: Endpoint, how: str = "") -> str:
        failure, options = endpoint.last_failure, endpoint.options
        found = (
            f"{self._connections.shown(failure.found).rstrip('.')}.\n{failure.cure}"
            if failure
            else "nothing"
        )
        return f"{options.url} (model {options.model!r}): {how}{found}"


def _most_tokens(body: Body, n: int) -> float:
    """Return about how many tokens a call can use."""
    characters = sum(len(turn["content"]) for turn in body["messages"])
    return float(characters / _CHARACTERS_A_TOKEN + n * body["max_tokens"])
