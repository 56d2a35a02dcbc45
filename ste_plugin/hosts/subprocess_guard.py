"""Subprocesses that never outlive this process: run as a script, this module is their guard.

The guard starts the command and all its children as one process group. A line on the guard's
standard input makes it terminate the group, and kill it after a grace period. If standard input
just ends, the parent was killed and may be restarted at once: the group is killed without a grace
period. When the command ends by itself, processes that it left behind are killed, too. If the guard
alone is killed, Linux kills the command. Only the standard library is needed.

On Linux the guard also gets the orphans of those that left the group, as the ranks of torchrun do
(2.13): they are killed where the command was ended or failed, and otherwise go on.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

GRACE_S = 2.0
"""How long a command may take to end when asked."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
"""Source: prctl(2)."""


def start(command: list[str], **streams: Any) -> "subprocess.Popen[bytes]":
    """Return the guard of a command that is being started; `streams` go to `subprocess.Popen`.

    It ends with the command's exit code, 128 + the signal where one ended it, 127 where the command
    could not be started.
    """
    guarded = [sys.executable, "-I", __file__, *command]
    return subprocess.Popen(guarded, stdin=subprocess.PIPE, start_new_session=True, **streams)


def end(guard: "subprocess.Popen[bytes]") -> None:
    """End a command with all its children; harmless where it has ended."""
    if guard.stdin and not guard.stdin.closed:
        with suppress(BrokenPipeError):
            guard.stdin.write(b"end\n")
            guard.stdin.flush()
        with suppress(BrokenPipeError):
            guard.stdin.close()
    guard.wait()


def main(command: list[str]) -> int:
    """Return the command's exit code."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,
            close_fds=False,  # what was passed to this process is the command's
        )
    except OSError as error:
        sys.stderr.write(f"OSError: cannot start {command[0]}: {error.strerror}\n")
        return 127
    requested = threading.Event()
    threading.Thread(target=_end_on_request, args=(child, requested), daemon=True).start()
    code = _wait(child.pid)
    _signal(child, signal.SIGKILL)
    if code or requested.is_set():
        _kill_children()
    return code if code >= 0 else 128 - code


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def _end_with_parent() -> None:
    """Have this process killed when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(pid: int) -> int:
    """Return the exit code of a child, once it ends; orphans that end before are buried."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _kill_children() -> None:
    """Kill the children of this process, and their children, which then are its own."""
    while killed := [pid for pid in _children() if _is_killed(pid)]:
        for pid in killed:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    """Return the ids of this process's children; none where there is no `/proc` of Linux."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            _state, parent, *_ = path.read_text(errors="replace").rpartition(")")[2].split()
            if int(parent) == os.getpid():
                found.append(int(path.parent.name))
    return found


def _is_killed(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _end_on_request(child: "subprocess.Popen[bytes]", requested: threading.Event) -> None:
    """End the group on a line on standard input, or at its end."""
    asked = os.read(0, 1)
    requested.set()
    if asked:
        _signal(child, signal.SIGTERM)
        time.sleep(GRACE_S)
    _signal(child, signal.SIGKILL)


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(OSError):  # the whole group has ended
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
