"""The screen is for our own words: what libraries print in this process can go to a log instead.

torch, transformers and what they import tell of optional parts that fail to load, from Python and
from C++ alike:
so it is the file descriptors that lead into the log, and our words take copies of the real ones.
"""

import faulthandler
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

_OUT, _ERR = 1, 2
_ours: dict[int, TextIO] = {}
"""The real stdout and stderr, by descriptor, while libraries print into a log."""


def stdout() -> TextIO:
    """Return the standard output that a person sees."""
    return _ours.get(_OUT, sys.stdout)


def stderr() -> TextIO:
    """Return the standard error that a person sees."""
    return _ours.get(_ERR, sys.stderr)


def is_shared() -> bool:
    """Return whether libraries print to the screen, too."""
    return not _ours


def stderr_descriptor() -> int:
    """Return the file descriptor of that standard error, for writing where a signal ended the
    command."""
    return _ours[_ERR].fileno() if _ERR in _ours else _ERR


@contextmanager
def log_libraries(log: Path) -> Iterator[None]:
    """Append to `log` what anything but us prints in the block; warnings of our own logger stay on
    the screen.

    Where an error ends the block, the person is told of the log. One that stayed empty is removed.
    """
    begun = log.stat().st_size if log.exists() else 0
    try:
        with log.open("ab") as file, redirect_output(file) as copies, _screen_at(copies):
            yield
    except Exception:
        if log.stat().st_size > begun:
            sys.stderr.write(f"What libraries printed is in {log}\n")
        raise
    finally:
        if not log.stat().st_size:
            log.unlink()


@contextmanager
def redirect_output(file: BinaryIO | TextIO) -> Iterator[dict[int, int]]:
    """Send what this process and those that it starts print to `file`, until the block ends for
    this one.

    Gives copies of the descriptors as they were, by number.
    """
    _flush()
    copies = {number: os.dup(number) for number in (_OUT, _ERR)}
    try:
        for number in copies:
            os.dup2(file.fileno(), number)
        yield copies
    finally:
        _flush()
        for number, copy in copies.items():
            os.dup2(copy, number)
            os.close(copy)


@contextmanager
def _screen_at(copies: dict[int, int]) -> Iterator[None]:
    """Write our words to these descriptors."""
    with ExitStack() as stack:
        for number, stream in ((_OUT, sys.stdout), (_ERR, sys.stderr)):
            binary = os.fdopen(copies[number], "wb", closefd=False)
            text = TextIOWrapper(binary, stream.encoding, stream.errors, line_buffering=True)
            _ours[number] = stack.enter_context(text)
        stack.callback(_ours.clear)
        stack.enter_context(_own_warnings(_ours[_ERR]))
        yield


@contextmanager
def _own_warnings(stream: TextIO) -> Iterator[None]:
    """Show our logger's warnings, and where Python itself is aborted, on `stream`."""
    handler, logger = logging.StreamHandler(stream), logging.getLogger("ste_plugin")
    handler.setLevel(logging.WARNING)
    logger.addHandler(handler)
    crashes = not faulthandler.is_enabled()
    if crashes:
        faulthandler.enable(stream)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        if crashes:
            faulthandler.disable()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
