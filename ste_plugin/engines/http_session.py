"""One conversation with all servers: posts with retries, and messages for when none will answer."""

from threading import Event

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)

from ste_plugin.engines.http_connection import Body, Connections
from ste_plugin.engines.http_endpoint import Endpoint
from ste_plugin.engines.http_endpoints import Closed, Endpoints, NoneLeft
from ste_plugin.engines.http_options import HttpOptions
from ste_plugin.engines.http_refusal import Transient
from ste_plugin.engines.http_reply import Reply
from ste_plugin.errors import EngineError

_LONGEST_BACKOFF_S = 30.0
_CHARACTERS_A_TOKEN = 3.0
"""Fewer than in English, so that most prompts are guessed too long."""


class HttpSession:
    """What all calls of one stage go through, from many threads, until it is stopped."""

    def __init__(self, options: HttpOptions, endpoints: Endpoints) -> None:
        self._options, self._endpoints = options, endpoints
        keys = frozenset(e.key for e in endpoints.each if e.key)
        self._connections = Connections(options, keys, endpoints.most)
        self._winding_down = Event()
        self._pause_s = wait_exponential(options.backoff_s, _LONGEST_BACKOFF_S) + wait_random(
            0, options.backoff_s
        )

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
        tried: list[Endpoint] = []
        tries = self._options.max_attempts * len(self._endpoints.each)
        retrying = Retrying(
            stop=stop_after_attempt(tries) | stop_when_event_set(self._winding_down),
            wait=lambda state: self._wait_s(state, tried),
            sleep=sleep_using_event(self._winding_down),
            retry=retry_if_exception_type(Transient),
            reraise=True,
        )
        try:
            return retrying(self._attempt, body, n, tried)
        except Transient:
            how = f"no usable answer in {tries} attempt(s)"
        except NoneLeft:
            how = f"failed or found down {self._options.max_attempts} time(s) in a row"
        except Closed:
            how = "the engine was closed during a call"
        raise EngineError(self._given_up(how))

    def _attempt(self, body: Body, n: int, tried: list[Endpoint]) -> Reply:
        visit = self._endpoints.enter(_most_tokens(body, n), tried, self._winding_down)
        endpoint = visit.endpoint
        tried.append(endpoint)
        outcome: int | Transient | None = None
        try:
            own = body | {"model": endpoint.options.model}
            reply = self._connections.exchange(endpoint, own, n)
            outcome = reply.prompt_tokens + reply.completion_tokens
        except Transient as failure:
            outcome = failure
            raise
        finally:
            self._endpoints.leave(visit, outcome)
        return reply

    def _wait_s(self, state: RetryCallState, tried: list[Endpoint]) -> float:
        return 0.0 if self._endpoints.others_are_awake(tried) else self._pause_s(state)

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
