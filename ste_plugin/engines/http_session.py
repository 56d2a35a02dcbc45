"""One conversation with a server: posts with retries, and messages for when it will not answer."""

import json
import random
import socket
from threading import Event, Lock
from typing import Any
from weakref import WeakSet

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
)

from ste_plugin.engines.http_options import HttpOptions
from ste_plugin.engines.http_refusal import Transient, refusal, too_long
from ste_plugin.engines.http_wire import TOO_LONG, Reply, UnreadableReply, read_reply
from ste_plugin.errors import EngineError

_CONNECT_TIMEOUT_S, _LONGEST_BACKOFF_S = 10.0, 30.0
_SHOWN = 300


class HttpSession:
    """Connections to one server, usable from many threads until stopped."""

    def __init__(self, model: str, options: HttpOptions, key: str) -> None:
        self._model, self._options, self._key = model, options, key
        self._winding_down, self._stopped = Event(), Event()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = Lock()
        most = options.concurrency
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(
                options.timeout_s, connect=min(_CONNECT_TIMEOUT_S, options.timeout_s)
            ),
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most),
        )

    def wind_down(self) -> None:
        """Let calls in flight finish, but try none again."""
        self._winding_down.set()

    def stop(self) -> None:
        """End every call at once, even those that wait for an answer; calling it twice is harmless."""
        self._winding_down.set()
        self._stopped.set()
        with self._lock:
            for connection in self._sockets:
                _hang_up(connection)
        self._client.close()

    def post(self, body: dict[str, Any], n: int) -> Reply:
        """Return the reply to a chat request for n samples.

        A prompt too long for the model's context yields an empty reply, cut by length.
        Raises: EngineError where the server refuses, or fails `max_attempts` times.
        """
        # What UTF-8 cannot hold (a lone surrogate) becomes '?': no server would take it.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        retrying = Retrying(
            stop=stop_after_attempt(self._options.max_attempts)
            | stop_when_event_set(self._winding_down),
            wait=self._pause_s,
            sleep=sleep_using_event(self._winding_down),
            retry=retry_if_exception_type(Transient),
            reraise=True,
        )
        try:
            return retrying(self._attempt, content, n)
        except Transient as error:
            tries = self._options.max_attempts
            raise EngineError(
                f"{self._options.url} (model {self._model!r}): no usable answer in {tries} attempt(s); "
                f"the last: {self._shown(error.found)}.\n{error.cure}"
            ) from None

    def _attempt(self, content: bytes, n: int) -> Reply:
        if self._winding_down.is_set():
            raise EngineError(f"{self._options.url}: the engine was closed during a call.")
        try:
            response = self._client.post(
                self._options.url,
                content=content,
                headers={"Content-Type": "application/json"},
                extensions={"trace": self._remember},
            )
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise Transient(
                f"{type(error).__name__} after {self._options.timeout_s:g} s",
                "Raise options.timeout_s, lower options.concurrency, or see what the server is doing.",
            ) from error
        except httpx.RequestError as error:
            raise Transient(
                f"{type(error).__name__}: {error}",
                "Start the server, or set judge.options.base_url (or the generator's) to where it is.",
            ) from error
        if response.is_success:
            return _read(response.content, n)
        if too_long(response):
            return TOO_LONG
        raise refusal(self._model, self._options, response, self._served, self._shown)

    def _served(self) -> str:
        """Return in words what the server says it serves."""
        url = f"{self._options.base_url}/models"
        try:
            listed = self._client.get(url, extensions={"trace": self._remember}).json()
            names = sorted(str(model["id"]) for model in listed["data"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return f"GET {url} gives no list of models, so base_url is the first suspect"
        return f"GET {url} lists: {', '.join(names) or 'none'}"

    def _shown(self, text: str) -> str:
        """Return the beginning of a stranger's text on one line, without our key."""
        if self._key:
            text = text.replace(self._key, "[API key]")
        return " ".join(text.split())[:_SHOWN]

    def _pause_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, Transient) else 0.0
        grown = self._options.backoff_s * 2.0 ** min(state.attempt_number - 1, 16)
        return max(asked, min(grown, _LONGEST_BACKOFF_S)) + random.uniform(
            0, self._options.backoff_s
        )

    def _remember(self, event: str, info: dict[str, Any]) -> None:
        """Keep the socket of every new connection: closing a client does not wake its readers."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            connection = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(connection)
                if self._stopped.is_set():
                    _hang_up(connection)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return


def _read(content: bytes, n: int) -> Reply:
    try:
        return read_reply(content, n)
    except UnreadableReply as error:
        cure = (
            "A server that gives one sample a call needs options.samples: false."
            if n > 1
            else "options.base_url must lead to an OpenAI-compatible server."
        )
        raise Transient(str(error), cure) from error
