"""The locks of a run: one process writes, and as many as there are parts answer these."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ste_plugin.errors import ConfigError
from ste_plugin.storage.run_layout import RunLayout

OTHER_PARTS_S = 10.0
"""How long the other parts that begin at the same time may take to look at the run's lock."""


@contextmanager
def lock_run(folder: RunLayout, instead: str = "") -> Iterator[None]:
    """Hold a run's lock; `instead` says what else can be done where that is not possible.

    Raises: ConfigError where another process holds it, or works on a part of the run.
    """
    with hold(folder.lock, "this run", instead=instead):
        for path in sorted(folder.root.glob(folder.part_lock("*").name)):
            with hold(path, f"{path.stem} of this run"):
                pass
        yield


@contextmanager
def hold(path: Path, what: str, timeout_s: float = 0.0, instead: str = "") -> Iterator[None]:
    """Hold a lock. Raises: ConfigError where another process holds it for so long."""
    lock = FileLock(path, timeout=timeout_s)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"{path.parent}: another ste process works on {what}. Wait for it, or stop it "
            f"first.{instead}"
        ) from error
    try:
        yield
    finally:
        lock.release()
