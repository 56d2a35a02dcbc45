"""No process of vLLM outlives the one that opened it, however that ends.

vLLM's own processes would go on, with a GPU full of weights, where ours is killed (0.32). So each of them
carries a mark in its environment, and this file, run as a script of the standard library alone, ends
whoever carries it once its standard input ends: that is closed by `Leash.close`, or by our death.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from uuid import uuid4

_NAME = "STE_VLLM_LEASH"
_GRACE_S = 30.0


class Reaper:
    """Holds the processes that are started within `marked`."""

    def __init__(self) -> None:
        self._mark = uuid4().hex
        # Our own process needs it further, so it must not be born with the mark.
        resource_tracker.ensure_running()
        self._holder = subprocess.Popen(
            [sys.executable, "-I", __file__, f"{_NAME}={self._mark}"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    @contextmanager
    def marked(self, env: Mapping[str, str]) -> Iterator[None]:
        """Mark every process that is started until the block ends, and what these start.

        `env` is laid over their environment, too.
        """
        # A process that sets its title writes over its environment unless told not to.
        ours = {_NAME: self._mark, "SPT_NOENV": "1", **env}
        before = {name: os.environ.get(name) for name in ours}
        os.environ |= ours
        try:
            yield
        finally:
            for name, value in before.items():
                del os.environ[name]
                os.environ |= {} if value is None else {name: value}

    def close(self) -> None:
        """Return once all of them have ended; calling it twice is harmless."""
        if self._holder.stdin:
            self._holder.stdin.close()
        self._holder.wait()


def _marked(mark: bytes) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is someone else's
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def main(mark: bytes) -> None:
    """End what carries the mark as soon as standard input has ended."""
    while os.read(0, 4096):
        pass
    until = time.monotonic() + _GRACE_S
    while (pids := list(_marked(mark))) and time.monotonic() < until:
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1].encode())
