"""No process of vLLM outlives the one that started it, however that ends.

If our process is killed, vLLM's own keep running, with a GPU full of weights (0.32). So each of
them has a mark in its environment, and this file, run as a script with the standard library alone,
kills all that have it once its standard input ends: `Reaper.close` closes that, and so does our
death.
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

_MARK_VARIABLE = "STE_VLLM_REAPER"
_TIMEOUT_S = 30.0


class Reaper:
    """Ends the processes that were started within `marked`, on `close` or when we end."""

    def __init__(self) -> None:
        self._mark = uuid4().hex
        # Our own process still needs it, so it must not be started with the mark.
        resource_tracker.ensure_running()
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, f"{_MARK_VARIABLE}={self._mark}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @contextmanager
    def marked(self, env: Mapping[str, str]) -> Iterator[None]:
        """Mark every process that is started until the block ends, and what these start.

        `env` is added to their environment, too.
        """
        # A process that sets its title writes over its environment unless told not to.
        added = {_MARK_VARIABLE: self._mark, "SPT_NOENV": "1", **env}
        before = {name: os.environ.get(name) for name in added}
        os.environ |= added
        try:
            yield
        finally:
            for name, value in before.items():
                del os.environ[name]
                os.environ |= {} if value is None else {name: value}

    def close(self) -> None:
        """Return once all of them have ended; calling it twice is harmless."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def _marked_processes(mark: bytes) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def main(mark: bytes) -> None:
    """Kill the marked processes as soon as standard input has ended."""
    while os.read(0, 4096):
        pass
    deadline = time.monotonic() + _TIMEOUT_S
    while (pids := list(_marked_processes(mark))) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1].encode())
