"""Serving pages to the browser of the person who runs the command, until Ctrl-C."""

import errno
import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from ste_plugin.errors import ConfigError
from ste_plugin.web.access import Access
from ste_plugin.web.app import Say, make_app

HOST = "127.0.0.1"
_GOODBYE_S = 2
"""How long answers that were begun may take once the person has pressed Ctrl-C."""


def serve(
    routes: Sequence[BaseRoute],
    *,
    say: Say,
    port: int = 0,
    open_browser: bool = True,
    static: Sequence[Path] = (),
) -> None:
    """Serve the routes on this machine alone until Ctrl-C; print the link that opens them.

    `port` 0 is a free one. `static` are further folders of files under /static/.
    Raises: ConfigError where the port is in use or not ours to use.
    """
    with bind(port) as listener:
        server, url = make_server(listener, routes, say, static)
        say(f"Open {url}\nCtrl-C ends it.{_how_from_elsewhere(listener)}")
        if open_browser and _has_screen():
            Thread(target=webbrowser.open, args=[url], daemon=True).start()
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends by Ctrl-C as a server should; uvicorn 0.54 raises the signal once more after that."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def make_server(
    listener: socket.socket, routes: Sequence[BaseRoute], say: Say, static: Sequence[Path] = ()
) -> tuple[uvicorn.Server, str]:
    """Return a server for a socket that listens, and the link with a new token that opens it.

    `server.run(sockets=[listener])` answers until `server.should_exit` is set.
    """
    access = Access(secrets.token_urlsafe(32), listener.getsockname()[1])
    app = make_app(routes, access, say, static)
    config = quiet_config(app, lifespan="off", timeout_graceful_shutdown=_GOODBYE_S)
    return _Server(config), f"http://{HOST}:{access.port}/?token={access.token}"


def quiet_config(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """Return the settings of a server that says nothing itself, and believes no proxy's headers."""
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        log_config=None,
        log_level="critical",  # the application tells of its errors by `say`, made safe
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **more,
    )


def bind(port: int, host: str = HOST) -> socket.socket:
    """Return a socket that listens, by default on this machine alone; port 0 is a free one.

    Raises: ConfigError where the port is in use or not ours to use, or the host no address of ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # lets a port be used again at once after the server before ended
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(
                f"--host {host}: no address of this machine. Give one, as 127.0.0.1 or 0.0.0.0."
            ) from error
        problem = {errno.EADDRINUSE: "is in use", errno.EACCES: "is not yours to use"}
        raise ConfigError(
            f"--port {port}: the port {problem.get(error.errno or 0, error.strerror)}. "
            "Give another, or leave --port out for a free one."
        ) from error
    return listener


def _has_screen() -> bool:
    """Return whether a browser can show: a text browser would take over the terminal."""
    return sys.platform != "linux" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


def _how_from_elsewhere(listener: socket.socket) -> str:
    """Return what to do on the person's own machine, where this one is reached by ssh."""
    if "SSH_CONNECTION" not in os.environ:
        return ""
    port = listener.getsockname()[1]
    return f"\nFrom your own machine, first: ssh -L {port}:{HOST}:{port} THIS_MACHINE"
