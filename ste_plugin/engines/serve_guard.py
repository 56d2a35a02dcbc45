"""Run as a script: keeps a command running for as long as someone holds its standard input open.

The command and all its children form one process group. When standard input ends, because whoever
started this closed it or was killed, the group is asked to end, then made to; when the command ends
by itself, what it left behind is ended, too. Only the standard library is needed.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 10.0
"""How long the group may take to end when asked."""


def main(command: list[str]) -> int:
    """Return the command's exit code, 128 + the signal where one ended it."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.stderr.write(f"OSError: cannot start {command[0]}: {error.strerror}\n")
        return 127
    threading.Thread(target=_follow, args=(child,), daemon=True).start()
    code = child.wait()
    _signal(child, signal.SIGKILL)
    return code if code >= 0 else 128 - code


def _follow(child: "subprocess.Popen[bytes]") -> None:
    """End the group once standard input has ended."""
    while os.read(0, 4096):
        pass
    _signal(child, signal.SIGTERM)
    time.sleep(GRACE_S)
    _signal(child, signal.SIGKILL)


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    try:
        os.killpg(child.pid, number)
    except OSError:  # all of it has ended
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
