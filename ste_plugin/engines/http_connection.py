"""One call to one server, and an end to all calls at once."""

import json
import socket
from threading import Event, Lock
from typing import Any
from weakref import WeakSet

import httpx

from ste_plugin.engines.http_endpoint import Endpoint
from ste_plugin.engines.http_options import HttpOptions
from ste_plugin.engines.http_refusal import Transient, refusal, refuses_samples, silence, too_long
from ste_plugin.engines.http_reply import (
    NO_SAMPLES,
    TOO_LONG,
    Reply,
    UnreadableReply,
    read_reply,
    same_model,
)
from ste_plugin.errors import EngineError

_CONNECT_TIMEOUT_S = 10.0
_SHOWN = 300
_HERE = ("all://127.0.0.1", "all://localhost", "all://[::1]")
"""A proxy that the environment names is no way to this machine."""

Body = dict[str, Any]


class Connections:
    """Connections to servers, usable from many threads until closed."""

    def __init__(self, options: HttpOptions, keys: frozenset[str], most: int) -> None:
        self._options, self._keys = options, keys
        self._closed = Event()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = Lock()
        self._client = httpx.Client(
            timeout=httpx.Timeout(
                options.timeout_s, connect=min(_CONNECT_TIMEOUT_S, options.timeout_s)
            ),
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most),
            mounts=dict.fromkeys(_HERE),
        )

    def close(self) -> None:
        """End every call, even those that wait for an answer; calling it twice is harmless."""
        self._closed.set()
        with self._lock:
            for connection in self._sockets:
                _hang_up(connection)
        self._client.close()

    def exchange(self, endpoint: Endpoint, body: Body, n: int) -> Reply:
        """Return the reply to one call for n samples.

        Raises: Transient where asking again may help; EngineError where the server refuses.
        """
        # What UTF-8 cannot hold (a lone surrogate) becomes '?': no server would take it.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"} | _authorization(endpoint)
        try:
            response = self._client.post(
                endpoint.options.url,
                content=content,
                headers=headers,
                extensions={"trace": self._remember},
            )
        except httpx.RequestError as error:
            raise silence(error, self._options.timeout_s) from error
        if response.is_success:
            return self._read(endpoint, self._without_keys(response.content), n)
        if too_long(response):
            return TOO_LONG
        if n > 1 and self._options.samples == "auto" and refuses_samples(response):
            return NO_SAMPLES
        raise refusal(endpoint.options, response, lambda: self._served(endpoint), self.shown)

    def shown(self, text: str) -> str:
        """Return the beginning of a stranger's text on one line, without our keys."""
        for key in self._keys:
            text = text.replace(key, "[API key]")
        return " ".join(text.split())[:_SHOWN]

    def _without_keys(self, content: bytes) -> bytes:
        """Return a reply in which the server does not tell us our own key, which would go on file."""
        for key in self._keys:
            content = content.replace(key.encode(), b"[API key]")
        return content

    def _read(self, endpoint: Endpoint, content: bytes, n: int) -> Reply:
        try:
            reply = read_reply(content, n, 1 if self._options.samples == "auto" else n)
        except UnreadableReply as error:
            cure = (
                "A server that gives one sample a call needs options.samples: false."
                if n > 1
                else "options.base_url must lead to an OpenAI-compatible server."
            )
            raise Transient(str(error), cure) from error
        asked = (endpoint.options.model or "", *self._options.accept_model)
        if reply.model and not any(same_model(name, reply.model) for name in asked):
            told = self.shown(reply.model)
            raise EngineError(
                f"{endpoint.options.url}: asked for the model {asked[0]!r}, answered by one named "
                f"{told!r}.\nIf these are the same weights, set options.accept_model: [{told!r}]; if "
                "not, set the model's name to one that the server has."
            )
        return reply

    def _served(self, endpoint: Endpoint) -> str:
        """Return in words what the server says it serves."""
        url = f"{endpoint.options.base_url}/models"
        try:
            found = self._client.get(
                url, headers=_authorization(endpoint), extensions={"trace": self._remember}
            )
            names = sorted(str(model["id"]) for model in found.json()["data"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return f"GET {url} gives no list of models, so base_url is the first suspect"
        return f"GET {url} lists: {', '.join(names) or 'none'}"

    def _remember(self, event: str, info: dict[str, Any]) -> None:
        """Keep the socket of every new connection: closing a client does not wake its readers."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            connection = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(connection)
                if self._closed.is_set():
                    _hang_up(connection)


def _authorization(endpoint: Endpoint) -> dict[str, str]:
    return {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return
