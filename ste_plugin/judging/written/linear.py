"""Regular expressions that somebody else wrote, matched in linear time whatever they say."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ste_plugin.errors import ConfigError

_REFUSED = {
    "invalid escape sequence: \\": "a backreference",
    "invalid perl operator: (?=": "a lookahead",
    "invalid perl operator: (?!": "a lookahead",
    "invalid perl operator: (?<": "a lookbehind",
    "invalid perl operator: (?P": "a backreference",
}
"""How RE2's message begins → what that is, of what it has not."""


class LinearPattern:
    """An expression as RE2 compiles it; what matches nothing but the empty text is no match."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups."""
        return tuple(self._compiled.groupindex)

    def finditer(self, text: str) -> Iterator[Any]:
        """Yield each match that is not empty, in order."""
        # RE2 works on UTF-8, which has no halves of surrogate pairs
        whole = text.encode("utf-8", "replace").decode()
        return (match for match in self._compiled.finditer(whole) if match.group())

    def search(self, text: str) -> Any:
        """Return the first match that is not empty, or None."""
        return next(self.finditer(text), None)

    def sub(self, replacement: str, text: str) -> str:
        """Return the text with every match that is not empty replaced."""
        for match in reversed(list(self.finditer(text))):
            text = text[: match.start()] + replacement + text[match.end() :]
        return text


@lru_cache(maxsize=64)
def compile_linear(expression: str) -> LinearPattern:
    """Return an expression, compiled.

    Raises: ConfigError for what RE2 refuses, as everything that may backtrack, or without RE2.
    """
    try:
        import re2
    except ImportError as error:
        raise ConfigError(
            "found a regular expression, and google-re2, which matches it in linear time, is not "
            "installed; expected it here. pip install 'ste-plugin[formats]', or read the verdict "
            "by marks or json"
        ) from error
    options = re2.Options()
    options.log_errors = False
    try:
        return LinearPattern(re2.compile(expression, options))
    except re2.error as error:
        told = error.args[0] if error.args else b""
        problem = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    raise ConfigError(f"found {expression!r}, which {_explained(problem)}")


def _explained(problem: str) -> str:
    for start, what in _REFUSED.items():
        if problem.startswith(start):
            return (
                f"has {what} ({problem.rpartition(': ')[2]}): that may backtrack for ever, and "
                "RE2, which reads it in linear time, has none; expected an expression of RE2. Say "
                "it with alternatives and named groups alone"
            )
    return f"RE2 refuses ({problem}); expected an expression of RE2. Correct it"
