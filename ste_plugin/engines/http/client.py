"""HTTP requests from many threads, all of which can be ended at once."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakSet

import httpx

from ste_plugin.engines.http.errors import SessionClosed

_CONNECT_TIMEOUT_S = 10.0
_THIS_MACHINE = ("all://127.0.0.1", "all://localhost", "all://[::1]")
"""Reached without the proxy that the environment names."""


class Client:
    """An HTTP client that threads share until it is closed, which wakes all that are waiting."""

    def __init__(self, timeout_s: float, max_connections: int) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = Lock()
        self._closed = False
        self._users = 1  # the one that closes it
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=max_connections
            ),
            mounts=dict.fromkeys(_THIS_MACHINE),
        )

    def request(self, method: str, url: str, **content: Any) -> httpx.Response:
        """Return the whole response.

        Raises: httpx.RequestError; SessionClosed where the call was ended by `close`.
        """
        with self._counted():
            try:
                return self._client.request(
                    method, url, extensions={"trace": self._track_socket}, **content
                )
            except httpx.RequestError:
                if self._closed:
                    raise SessionClosed from None
                raise

    def close(self) -> None:
        """End every request, even those that wait for an answer; calling it twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for connection in self._sockets:
                _shut_down(connection)
        self._release()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a request as a user of the client until it ends."""
        with self._lock:
            if self._closed:
                raise SessionClosed
            self._users += 1
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        """Count a user out; the last one frees the sockets.

        Freed earlier, the number of a socket goes to the next connection that is made, and a thread
        that still reads from the old one waits for answers that are not its own.
        """
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self._client.close()

    def _track_socket(self, event: str, info: dict[str, Any]) -> None:
        """Keep the socket of every new connection: closing a client does not wake its readers."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            connection = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(connection)
                if self._closed:
                    _shut_down(connection)


def _shut_down(connection: socket.socket) -> None:
    try:
        # An SSLSocket's own shutdown first becomes a plain one, which a thread might then write to.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return
