"""What a person would want to know of another program's log: why it ended."""

import re
from pathlib import Path

_MAX_LINES = 15
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PROGRESS = re.compile(r"\d+%\|.*\||\d+(\.\d+)?(it/s|s/it|examples/s)")
EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b")
"""A line that names an exception, as tracebacks end."""


def summarize_failure(log: Path, start: int = 0) -> str:
    """Return why a command failed, by its log from byte `start`: the last exception, or the end."""
    lines = readable_lines(read_log(log, start))
    raised = [i for i, line in enumerate(lines) if EXCEPTION.match(line)]
    if raised:
        # chained exceptions and exit wrappers follow the first: the last raised is what ended it
        return "\n".join(lines[raised[-1] :][:_MAX_LINES])
    return "\n".join(lines[-_MAX_LINES:]) or "It printed nothing."


def read_log(log: Path, start: int = 0) -> str:
    """Return a log's text from byte `start`."""
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode("utf-8", "replace")


def readable_lines(text: str) -> list[str]:
    """Return the lines a person would read: no progress bars, colours or blanks.

    >>> readable_lines("a\\r 50%|█████     | 1/2\\rb\\n\\nc")
    ['a', 'b', 'c']
    """
    lines = (_ANSI.sub("", line).rstrip() for line in re.split(r"[\r\n]+", text))
    return [line for line in lines if line.strip() and not _PROGRESS.search(line)]
