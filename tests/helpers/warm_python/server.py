"""Imports the hosts once and forks a process for every start of the program `python`.

`python -m tests.helpers.warm_python.server FILE PYTHON` ends when its standard input does; FILE is
the number of an open socket that listens.
"""

import ast
import atexit
import gc
import logging
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from tests.helpers.evaluating import leave_out_the_machine

MOST_FILES = 64
ABOVE_ALL = 1000
"""Numbers of open files from here on are free while a fork puts its own in place."""


def import_hosts() -> None:
    """Import what hosts take long to import, and nothing of the package itself."""
    import axolotl.cli.train
    import axolotl.core.builders
    import axolotl.train
    import axolotl.utils.config  # noqa: F401
    import lm_eval.evaluator
    import lm_eval.models.huggingface  # noqa: F401

    leave_out_the_machine()


def serve(listening: socket.socket, python: str) -> None:
    """Fork for every connection; a process whose program has been killed is killed."""
    path = list(sys.path)
    import_hosts()
    gc.freeze()
    children: dict[int, socket.socket] = {}
    woken, wakes = socket.socketpair()
    for end in (woken, wakes):
        end.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        for place in (listening, woken, 0):
            selector.register(place, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    for pid in children:
                        end_group(pid)
                    return
                if key.fileobj is woken:
                    woken.recv(1024)
                elif key.fileobj is listening:
                    connection, _ = listening.accept()
                    if pid := forked(connection, path, python):
                        children[pid] = connection
                        selector.register(connection, selectors.EVENT_READ, pid)
                else:
                    pass_on(key.fileobj, key.data, selector)
            reap(children, selector)


def pass_on(connection: Any, pid: int, selector: selectors.BaseSelector) -> None:
    """Send a process the signals that its program was sent, or end it with its program."""
    try:
        numbers = connection.recv(64)
    except ConnectionResetError:
        numbers = b""
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    if not numbers:
        selector.unregister(connection)
        end_group(pid)


def end_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def reap(children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    """Tell the programs of ended processes how these ended."""
    for pid, connection in list(children.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with suppress(KeyError):
                selector.unregister(connection)
            with suppress(OSError):
                connection.sendall(struct.pack("=i", os.waitstatus_to_exitcode(status)))
            connection.close()
            del children[pid]


def forked(connection: socket.socket, path: list[str], python: str) -> int:
    """Return the process that does an order; 0 where its program has ended."""
    try:
        size, files, *_ = socket.recv_fds(connection, 4, MOST_FILES)
        (length,) = struct.unpack("=I", size)
        content = connection.recv(length, socket.MSG_WAITALL)
        order = ast.literal_eval(content.decode("utf-8", "surrogateescape"))
    except (OSError, struct.error, SyntaxError, ValueError):
        connection.close()
        return 0
    pid = os.fork()
    if pid == 0:
        run(order, files, path, python)
    for file in files:
        os.close(file)
    return pid


def run(order: tuple[Any, ...], files: list[int], path: list[str], python: str) -> NoReturn:
    """Be the process that an order asks for."""
    arguments, folder, env, mask, numbers, ignored = order
    os.setsid()
    place_files(files, numbers)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(env)
    os.umask(mask)
    os.chdir(folder)
    sys.executable = python
    named = [str(Path(p).absolute()) for p in env.get("PYTHONPATH", "").split(os.pathsep) if p]
    first = [] if env.get("PYTHONSAFEPATH") else [folder]
    sys.path[:] = [*first, *named, *(p for p in path if p not in named)]
    code = 1
    try:
        execute(arguments[1:] if arguments[0] == "-u" else arguments)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            threading._shutdown()
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):
                stream.flush()
        os._exit(code & 0xFF)


def place_files(files: list[int], numbers: list[int]) -> None:
    """Give received files the numbers that they had, and close all others."""
    import fcntl

    above = [fcntl.fcntl(file, fcntl.F_DUPFD, ABOVE_ALL) for file in files]
    os.closerange(0, ABOVE_ALL)
    for file, number in zip(above, numbers, strict=True):
        os.dup2(file, number, inheritable=True)
        os.close(file)


def execute(arguments: list[str]) -> None:
    """Run a module or code, for all but axolotl without the logging that its import sets up."""
    kind, what, *rest = arguments
    if kind == "-c" or what.startswith(("ste_plugin", "lm_eval")):
        logging.root.handlers.clear()
        logging.root.setLevel(logging.WARNING)
    sys.argv[:] = ["-c" if kind == "-c" else what, *rest]
    if kind == "-c":
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_module(what, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
