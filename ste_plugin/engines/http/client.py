"""HTTP requests from many threads, all of which can be ended at once."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakSet

import httpx

from ste_plugin.engines.http.load_balancer import Closed

_CONNECT_TIMEOUT_S = 10.0
_HERE = ("all://127.0.0.1", "all://localhost", "all://[::1]")
"""A proxy that the environment names is no way to this machine."""


class Client:
    """An HTTP client that threads share until it is closed, which wakes all that wait for a reply."""

    def __init__(self, timeout_s: float, most: int) -> None:
        """`most` bounds the connections."""
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = Lock()
        self._closed = False
        self._users = 1  # whoever closes it
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most),
            mounts=dict.fromkeys(_HERE),
        )

    def request(self, method: str, url: str, **sent: Any) -> httpx.Response:
        """Return the whole response.

        Raises: httpx.RequestError; Closed where it was ended from here.
        """
        with self._used():
            try:
                return self._client.request(
                    method, url, extensions={"trace": self._remember}, **sent
                )
            except httpx.RequestError:
                if self._closed:
                    raise Closed from None
                raise

    def close(self) -> None:
        """End every request, even those that wait for an answer; calling it twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for connection in self._sockets:
                _hang_up(connection)
        self._leave()

    @contextmanager
    def _used(self) -> Iterator[None]:
        """Count a request in and out."""
        with self._lock:
            if self._closed:
                raise Closed
            self._users += 1
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        """Count a user out; the last one frees the sockets.

        Freed earlier, the number of a socket goes to the next connection that is made, and who still
        reads from the old one waits for answers that are not its own.
        """
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self._client.close()

    def _remember(self, event: str, info: dict[str, Any]) -> None:
        """Keep the socket of every new connection: closing a client does not wake its readers."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            connection = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(connection)
                if self._closed:
                    _hang_up(connection)


def _hang_up(connection: socket.socket) -> None:
    try:
        # An SSLSocket's own shutdown first becomes a plain one, which a thread might then write to.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return
