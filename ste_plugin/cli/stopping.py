"""Ctrl-C, SIGTERM and a closed terminal: the command ends soon, leaves nothing running, and says how to go on."""

import os
import select
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from ste_plugin import screen

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 3.0
"""How long tidying up may take; a second signal ends it at once. What is on disk needs none of it."""
_TOLD = b"ste: stopped. Run the same command again to go on: what is done is kept.\n"


class Stopped(BaseException):
    """Raised in the main thread by a signal: no KeyboardInterrupt, which typer would take for its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


begun: list[Stopped] = []
"""What was raised, if it was."""


def be_stoppable() -> None:
    """Let signals raise Stopped from here on, and end the process where that takes too long.

    A signal that this process was started to ignore (`nohup`, `&` in a script) stays ignored.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # written to at once, even while the main thread is in a long call that lets no handler run
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)


def tell_and_exit(stopped: Stopped) -> NoReturn:
    """Say how to go on, and exit as shells expect: 130 for Ctrl-C, 143 for SIGTERM."""
    os.write(screen.stderr_descriptor(), _TOLD)
    sys.exit(128 + stopped.number)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    for other in SIGNALS:
        if signal.getsignal(other) == _raise:
            signal.signal(other, _pass)  # _watch sees to further ones
    begun.append(Stopped(number))
    raise begun[0]


def _pass(*_: object) -> None:
    return


def _watch(reader: int) -> None:
    """End the process some seconds after the first signal, or at the second."""
    number = os.read(reader, 1)[0]
    while number not in SIGNALS:
        number = os.read(reader, 1)[0]
    select.select([reader], [], [], PATIENCE_S)
    _end_children()
    terminal = screen.stderr_descriptor()
    show_cursor = b"\x1b[?25h" if os.isatty(terminal) else b""
    os.write(terminal, show_cursor + _TOLD)
    os._exit(128 + number)


def _end_children() -> None:
    """Kill what an engine in this process has started; programs of their own end with their guards."""
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for child in multiprocessing.active_children():
            child.kill()
