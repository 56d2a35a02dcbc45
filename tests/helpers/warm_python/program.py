"""The program `python`: stands for the process that the server forks for it.

So that it starts in a moment it is run without packages, and `started` writes its first constants.
"""
# ruff: noqa: PTH109, PTH110, PTH118, PTH208 - pathlib takes longer to import than all else

import os
import signal
import socket
import struct
import sys

REAL, ADDRESS, IMPORTED_WITH = "", "", {}
WARM = (
    *("axolotl.cli.train", "axolotl.cli.main", "lm_eval", "ste_plugin"),
    *("tests.helpers.axolotl_runs", "tests.helpers.policy_training"),
)
"""Modules that are run in a fork, and those in them."""
IN_CODE = ("lm_eval.models", "axolotl.config_checks")
READ_WHEN_IMPORTED = ("HF_", "TRANSFORMERS_", "TORCH", "OMP_NUM", "CUDA_", "XDG_", "HOME", "RAY_")
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def read_when_imported(env):
    """Return what the environment tells hosts while they are imported, once for all forks."""
    return {k: v for k, v in env.items() if k.startswith(READ_WHEN_IMPORTED)}


def is_warm(arguments):
    """Return whether a fork can do this; `-u` changes nothing that a host's reader sees."""
    if arguments[:1] == ["-u"]:
        arguments = arguments[1:]
    if arguments[:1] == ["-m"]:
        module = arguments[1]
        warm = module in WARM or module.startswith("ste_plugin.")
    else:
        warm = arguments[:1] == ["-c"] and any(name in arguments[1] for name in IN_CODE)
    # the survival tests' stand-ins for hosts come before what was imported
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    stubs = any(os.path.exists(os.path.join(place, "axolotl")) for place in path if place)
    return warm and not stubs and read_when_imported(os.environ) == IMPORTED_WITH


def run(arguments):
    """Have the server run this; end as its process ends."""
    files = [n for n in map(int, os.listdir("/proc/self/fd")) if _is_inherited(n)]
    ignored = [n for n in FORWARDED if signal.getsignal(n) is signal.SIG_IGN]
    mask = os.umask(0)
    order = repr((arguments, os.getcwd(), dict(os.environ), mask, files, list(map(int, ignored))))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(ADDRESS)  # the server may still be importing
    for number in FORWARDED:
        if number not in ignored:
            signal.signal(number, lambda number, _: connection.send(bytes([number])))
    content = order.encode("utf-8", "surrogateescape")
    socket.send_fds(connection, [struct.pack("=I", len(content))], files)
    connection.sendall(content)
    for number in files:
        os.close(number)
    answer = connection.recv(4, socket.MSG_WAITALL)
    code = struct.unpack("=i", answer)[0] if len(answer) == 4 else 1
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


def _is_inherited(number):
    try:
        return os.get_inheritable(number)
    except OSError:  # the listing's own
        return False


if __name__ == "__main__":
    if is_warm(sys.argv[1:]):
        run(sys.argv[1:])
    os.execv(REAL, [REAL, *sys.argv[1:]])
