"""Values of a raw row: texts, turns written as JSON, and what is wrong with any of them."""

import json
import re
from typing import Any

from ste_plugin.errors import DataError

_NO_INPUT = re.compile(r"<no ?input>|nan", re.IGNORECASE)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class BadRow(DataError):
    """A row that yields no instruction, with a reason short enough to count by."""

    def __init__(self, message: str, reason: str = "malformed line") -> None:
        super().__init__(message)
        self.reason = reason


class LeftOut(Exception):
    """A row that is as it should be and still yields no instruction, whatever `on_bad_line` is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """Short enough to count by."""


def describe(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def as_text(value: Any, where: str) -> str:
    """Return text, empty for None."""
    if value is None or isinstance(value, str):
        return value or ""
    raise BadRow(f"{where}: expected text, found {describe(value)}")


def input_text(value: Any) -> str:
    """Return an `input` as text, numbers too; data sets write `<noinput>` or `nan` for none.

    >>> input_text("<noinput>"), input_text(" Guten Tag "), input_text(5)
    ('', 'Guten Tag', '5')
    """
    text = str(value) if type(value) in (int, float) else as_text(value, "input")
    return "" if _NO_INPUT.fullmatch(text.strip()) else text.strip()


def content_text(value: Any, where: str) -> str:
    """Return a turn's text: a string, or the text parts of a list of parts."""
    if not isinstance(value, list):
        return as_text(value, where)
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise BadRow(f"{where}: expected parts of type 'text' only, found {describe(part)}")
    return "\n".join(as_text(part.get("text"), where) for part in value)


def from_json(text: str) -> Any:
    """Return the list or mapping that a text is in JSON, else the text."""
    try:
        return json.loads(text) if text.lstrip()[:1] in ("[", "{") else text
    except (ValueError, RecursionError):
        return text
