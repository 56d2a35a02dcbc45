"""One stage's calls to all servers: posts with retries, and messages for when no server answers."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from time import monotonic

from ste_plugin.engines.http.connection import Body, Connections
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.errors import SessionClosed, TransientError
from ste_plugin.engines.http.load_balancer import LoadBalancer, NoEndpointLeft
from ste_plugin.engines.http.options import HttpOptions
from ste_plugin.engines.http.response import FIELDS_REFUSED, Reply
from ste_plugin.engines.http.retry import Attempts
from ste_plugin.errors import EngineError

Connect = Callable[[HttpOptions, frozenset[str], int], Connections]
"""Opens the connections of a stage: its options, the keys to keep from replies, and how many."""
Post = Callable[[Body, int], Reply]
"""Sends one chat request for so many samples."""


class HttpSession:
    """What all calls of one stage go through, from many threads, until it is stopped."""

    def __init__(
        self, options: HttpOptions, balancer: LoadBalancer, connect: Connect = Connections
    ) -> None:
        self._options, self._balancer = options, balancer
        keys = frozenset(e.key for e in balancer.endpoints if e.key)
        self._connections = connect(options, keys, balancer.max_in_flight)
        self._draining = Event()

    def drain(self) -> None:
        """Let calls in flight finish, but retry none."""
        self._draining.set()
        self._balancer.wake()

    def stop(self) -> None:
        """End every call and every wait at once; calling it twice is harmless."""
        self.drain()
        self._connections.close()

    def post(self, body: Body, n: int, preferred: Endpoint | None = None) -> Reply:
        """Return the reply to a request for n samples, from whichever endpoint gives one.

        The preferred one is asked first, unless it takes no call now.

        A prompt that is too long for the model's context, blocked, or refused for a reason that is
        not known yields a reply without samples. Where options.samples is auto, the reply may hold
        fewer than n.
        Raises: EngineError where a server refuses, or all have failed as often as they may.
        """
        options = self._options
        tokens, most = self._connections.max_tokens(body, n), options.max_attempts
        attempts = Attempts(tokens, most, options.backoff_s, preferred)
        reply = None
        try:
            while reply is None:
                reply = self._attempt(body, n, attempts)
            return reply
        except NoEndpointLeft:
            reason = f"found down {options.max_attempts} time(s) in a row"
            if attempts.failures:
                reason = f"no usable answer in {attempts.failures} attempt(s)"
        except SessionClosed:
            reason = "the engine was closed during a call"
        raise EngineError(self._failure_message(reason))

    def _attempt(self, body: Body, n: int, attempts: Attempts) -> Reply | None:
        """Return the reply, or None where the call has failed and may be tried again.

        One that was refused for its fields alone is no failure: it is sent at once as it is taken.
        """
        call = self._balancer.begin_call(attempts, self._draining)
        endpoint = call.endpoint
        outcome: Reply | TransientError | None = None
        try:
            own_body = endpoint.fields.apply(body | {"model": endpoint.options.model})
            outcome = self._connections.exchange(endpoint, own_body, n)
        except TransientError as failure:
            outcome = failure
            attempts.record_failure(endpoint, monotonic())
        finally:
            self._balancer.end_call(call, outcome)
        if not isinstance(outcome, Reply) or outcome is FIELDS_REFUSED:
            return None
        return replace(outcome, server=endpoint.options.url)

    def _failure_message(self, reason: str) -> str:
        """Return why nothing answers, each endpoint's last failure, and what to do about it."""
        endpoints = self._balancer.endpoints
        if len(endpoints) == 1:
            return self._last_failure(endpoints[0], f"{reason}; the last: ")
        failures = "\n".join(self._last_failure(e) for e in endpoints)
        return f"{len(endpoints)} endpoints, {reason}; the last of each:\n{failures}"

    def _last_failure(self, endpoint: Endpoint, introduction: str = "") -> str:
        failure, options = endpoint.last_failure, endpoint.options
        text = "nothing"
        if failure:
            text = f"{self._connections.quote(failure.problem).rstrip('.')}.\n{failure.hint}"
        return f"{options.url} (model {options.model!r}): {introduction}{text}"
