"""Running the application until a signal ends it, having answered what it took."""

import os
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from ste_plugin.errors import ConfigError
from ste_plugin.judge import PairwiseJudge
from ste_plugin.serving.app import JudgeService, make_app
from ste_plugin.serving.limits import Limits
from ste_plugin.text.redaction import register_secret
from ste_plugin.web.serve import bind, quiet_config

KEY = "STE_JUDGE_KEY"
"""The environment variable with the key that clients must send."""
_KEEP_ALIVE_S = 75
"""Longer than clients keep a connection unused: one that the server closes as the next request is
on its way loses that request."""
_LOCAL = ("127.0.0.1", "localhost", "::1")


class JudgeServer(uvicorn.Server):
    """Takes no more after a signal, and answers what it took; a second signal ends it at once.

    uvicorn 0.54 raises the signal once more after that.
    """

    def __init__(self, config: uvicorn.Config, service: JudgeService) -> None:
        super().__init__(config)
        self._service = service
        self.forced_by = 0
        """The second signal, where one came."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.stopping = True
        if self.should_exit:
            self.force_exit, self.forced_by = True, sig
        self.should_exit = True


def serve_judge(
    judge: PairwiseJudge,
    limits: Limits,
    host: str,
    port: int,
    say: Callable[[str], object],
    on_ready: Callable[[], object] = lambda: None,
) -> int:
    """Answer comparisons until Ctrl-C or SIGTERM; the model is loaded before the first is taken.

    Returns 0 once all that were taken are answered, or the second signal, which ended it before.
    `on_ready` is called once it is loaded: signals are the server's from then on.
    Raises: ConfigError where the port is in use, or others could ask without a key; EngineError
    where the model cannot be loaded.
    """
    key = read_key(host)
    with bind(port, host) as listener:
        judge.load()
        server, url = make_server(listener, judge, limits, key, say)
        say(f"{judge.name}\nJudging at {url} (its API: {url}/docs). Ctrl-C ends it.")
        on_ready()
        server.run(sockets=[listener])
        if server.force_exit:  # closing would wait for the batch that the judge works on
            return server.forced_by
        judge.close()
        return 0


def read_key(host: str) -> str:
    """Return the key that clients must send, empty for none.

    Raises: ConfigError where there is none, and other machines can reach the server.
    """
    register_secret(KEY)
    key = os.environ.get(KEY, "").strip()
    if not key and host not in _LOCAL:
        raise ConfigError(
            f"--host {host}: other machines could ask without a key. Set one (`export {KEY}=…`, "
            "which clients send as `Authorization: Bearer …`), or leave --host out for this "
            "machine alone."
        )
    if not key.isascii() or any(c.isspace() for c in key):
        raise ConfigError(f"{KEY}: its value holds spaces or letters beyond ASCII. Set it again.")
    return key


def make_server(
    listener: socket.socket,
    judge: PairwiseJudge,
    limits: Limits,
    key: str,
    say: Callable[[str], object],
) -> tuple[JudgeServer, str]:
    """Return a server for a socket that listens, and its address."""
    host, port = listener.getsockname()[:2]
    service = JudgeService(judge, limits)
    local = host in _LOCAL and not key
    config = quiet_config(
        make_app(service, key, say, _LOCAL if local else ()),
        lifespan="on",
        limit_concurrency=limits.max_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(limits.timeout_s) + 1,
    )
    shown = f"[{host}]" if ":" in host else host
    return JudgeServer(config, service), f"http://{shown}:{port}"
