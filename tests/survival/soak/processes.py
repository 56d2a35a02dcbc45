"""A run's processes: started, found by a mark in their environment, killed, and seen to be gone."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .scene import Scene

ORPHANS_S = 30.0
"""How long what a killed run leaves behind is waited for: a command that is asked to end has 2 s,
and on a busy machine its guard may come to that late."""


@contextmanager
def _as_from_a_terminal(hears_hanging_up: bool) -> Iterator[None]:
    """Start a run as a terminal or as `nohup` does, wherever the tests were started."""
    hanging_up = signal.SIG_DFL if hears_hanging_up else signal.SIG_IGN
    wanted = {signal.SIGHUP: hanging_up, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, action) for number, action in wanted.items()}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


class Started:
    """A run while it is working."""

    def __init__(self, scene: Scene) -> None:
        self.mark = f"{scene.folder.name}-{time.monotonic_ns()}"
        self.began = time.monotonic()
        self.errors = scene.folder / "stderr.txt"
        with self.errors.open("wb") as errors, _as_from_a_terminal(scene.hears_hanging_up):
            self.process = subprocess.Popen(
                scene.command,
                cwd=scene.folder,
                env=scene.environment(self.mark),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of `ste` itself."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Whether `ste` itself has ended."""
        return self.process.poll() is not None

    def wait(self, seconds: float | None = None) -> bool:
        """Return whether `ste` ends within so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.ended

    @property
    def alive(self) -> list[int]:
        """The processes of this start that live, `ste` among them."""
        pids = (int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal())
        return [pid for pid in pids if self._mine(pid)]

    @property
    def hosts(self) -> list[int]:
        """Those in sessions of their own: guards, axolotl, lm-eval."""
        return [pid for pid in self.alive if pid != self.pid and _session(pid) != self.pid]

    @property
    def listens(self) -> bool:
        """Whether `ste` has come so far that it hears signals."""
        with suppress(OSError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            caught = int(status.split("SigCgt:")[1].split()[0], 16)
            return bool(caught >> (signal.SIGTERM - 1) & 1)
        return False

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return self.errors.read_text()

    def gone(self) -> bool:
        """Return whether all of it is gone, having waited a little."""
        until = time.monotonic() + ORPHANS_S
        while self.alive and time.monotonic() < until:
            time.sleep(0.01)
        return not self.alive

    def kill_all(self) -> None:
        """Kill every process at once, as when the machine goes down."""
        while pids := self.alive:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _mine(self, pid: int) -> bool:
        try:
            mine = f"STE_SOAK={self.mark}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
            return (
                mine and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
            )
        except OSError:
            return False


def _session(pid: int) -> int:
    with suppress(OSError):
        return os.getsid(pid)
    return 0
