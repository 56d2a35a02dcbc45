"""Subprocesses that never outlive this process: run as a script, this module is their guard.

The guard starts the command and all its children as one process group. A line on the guard's
standard input makes it terminate the group, and kill it after a grace period. If standard input
just ends, the parent was killed and may be restarted at once: the group is killed without a grace
period. When the command ends by itself, processes that it left behind are killed, too. If the guard
alone is killed, Linux kills the command. Only the standard library is needed.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

GRACE_S = 2.0
"""How long a command may take to end when asked."""
_PR_SET_PDEATHSIG = 1
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
    threading.Thread(target=_end_on_request, args=(child,), daemon=True).start()
    code = child.wait()
    _signal(child, signal.SIGKILL)
    return code if code >= 0 else 128 - code


def _end_with_parent() -> None:
    """Have this process killed when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_on_request(child: "subprocess.Popen[bytes]") -> None:
    """End the group on a line on standard input, or at its end."""
    if os.read(0, 1):
        _signal(child, signal.SIGTERM)
        time.sleep(GRACE_S)
    _signal(child, signal.SIGKILL)


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(OSError):  # the whole group has ended
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
