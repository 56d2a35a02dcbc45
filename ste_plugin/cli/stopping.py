"""Ctrl-C, SIGTERM and a closed terminal end the command soon, with nothing left running."""

import os
import select
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from ste_plugin import screen

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_S = 3.0
"""How long cleaning up may take; a second signal ends it at once. Files on disk do not need it."""
_RESUME = b"ste: stopped. Run the same command again to resume: what is done is kept.\n"
_ENDED = b"ste: stopped.\n"
_last_words = [_RESUME]


class Stopped(BaseException):
    """Raised in the main thread by a signal; typer would take a KeyboardInterrupt for its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


raised: list[Stopped] = []
"""What a signal raised, if one did."""


def handle_signals() -> None:
    """Let signals raise Stopped from here on, and end the process where that takes too long.

    A signal that this process was started to ignore (`nohup`, `&` in a script) stays ignored.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # written to at once, even while the main thread is in a long call that lets no handler run
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_end_after_grace, args=(reader,), daemon=True).start()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)


def keep_nothing() -> None:
    """Say from here on that the command ended, as one does that leaves nothing to resume."""
    _last_words[:] = [_ENDED]


def leave_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt from here on: by it a server of pages ends well.

    uvicorn sends itself the signal again once its answers are sent, which would count as a second
    one and end the process at once.
    """
    signal.set_wakeup_fd(-1)
    if signal.getsignal(signal.SIGINT) == _raise:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def exit_stopped(stopped: Stopped) -> NoReturn:
    """Say how to resume, if that can be, and exit as shells expect: 130 for Ctrl-C, 143 for
    SIGTERM."""
    os.write(screen.stderr_descriptor(), _last_words[0])
    sys.exit(128 + stopped.number)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    for other in SIGNALS:
        if signal.getsignal(other) == _raise:
            signal.signal(other, _ignore)  # the thread handles further ones
    raised.append(Stopped(number))
    raise raised[0]


def _ignore(*_: object) -> None:
    return


def _end_after_grace(reader: int) -> None:
    """End the process some seconds after the first signal, or at the second."""
    number = os.read(reader, 1)[0]
    while number not in SIGNALS:
        number = os.read(reader, 1)[0]
    select.select([reader], [], [], GRACE_S)
    _end_children()
    terminal = screen.stderr_descriptor()
    show_cursor = b"\x1b[?25h" if os.isatty(terminal) else b""
    os.write(terminal, show_cursor + _last_words[0])
    os._exit(128 + number)


def _end_children() -> None:
    """Kill what an engine in this process started; other programs end with their guards."""
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for child in multiprocessing.active_children():
            child.kill()
