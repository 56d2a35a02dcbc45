"""Joining a Ray cluster, and leaving it again; errors say what was found at the address."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

from ste_plugin.errors import EngineError

_TIMEOUT_S = 10.0
_START = (
    "Start a cluster (`ray start --head` on one machine, `ray start --address=HEAD:6379` on the "
    "others), and set options.address to HEAD:6379."
)
_users = 0
"""Engines that use the connection of this process, where it is ours to end."""
_lock = threading.Lock()


def require_ray() -> None:
    """Raise EngineError where Ray is not installed."""
    if find_spec("ray") is None:
        raise EngineError(
            "engine ray: Ray is not installed beside ste-plugin. Install it on every machine of "
            "the cluster, in one version: pip install '/path/to/ste-plugin[ray]'."
        )


def connect(address: str) -> bool:
    """Join the cluster; return whether `disconnect` is owed. One that was joined before is used.

    Raises: EngineError where no cluster is there, or it runs another version of Ray or Python.
    """
    global _users
    import ray

    with _lock:
        if ray.is_initialized() and not _users:
            return False  # the program that runs us has joined it
        if not _users:
            _join(address)
        _users += 1
    return True


def disconnect() -> None:
    """Leave the cluster once nobody uses it."""
    global _users
    import ray

    with _lock:
        _users -= 1
        if not _users:
            ray.shutdown()


def _join(address: str) -> None:
    import ray

    target = os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address
    if target != "auto":
        _require_listener(target)
    try:
        with _signals_kept():
            ray.init(
                address=target, logging_level="ERROR", log_to_driver=False, configure_logging=False
            )
    except (ConnectionError, RuntimeError, ValueError, AssertionError, SystemExit) as error:
        with suppress(Exception):
            ray.shutdown()
        raise EngineError(_explain(target, str(error))) from error


def _require_listener(target: str) -> None:
    """Raise EngineError where nothing listens: Ray would try for two minutes (2.60)."""
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise EngineError(
            f"engine ray: no cluster at {target}: {error}. Expected the head's HOST:PORT.\n{_START}"
        ) from error


def _explain(target: str, reason: str) -> str:
    words = " ".join(reason.split())
    if "Version mismatch" in reason:
        return (
            f"engine ray: the cluster at {target} runs other versions than this machine: {words}\n"
            "Install the same Python and the same Ray on all machines."
        )
    if "any running Ray instance" in reason:
        return f"engine ray: no cluster found: Ray does not run on this machine.\n{_START}"
    return (
        f"engine ray: cannot join the cluster at {target}: {words}\nThis machine has to be one of "
        f"the cluster. {_START}"
    )


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which `ray.init` replaces by its own in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
