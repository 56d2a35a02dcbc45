"""One row of a file or a hub data set, which names its place in whatever is wrong with it."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any, NoReturn, TypeVar

from ste_plugin.errors import DataError
from ste_plugin.text.listed_turns import is_list_of_texts, is_list_of_turns

T = TypeVar("T")


class Unusable(DataError):
    """A row of a published data set in which there is nothing to judge; nobody can fix it."""


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of one row. Every method raises DataError: where, which column, what to do."""

    where: str
    """file:line, file#index or hub:name/split#index."""
    columns: Mapping[str, Any]
    part: str = ""
    """The split, or the file's place in a folder of several."""
    published: bool = False
    """Whether it is one of a public data set, on the hub or in a copy of it."""
    named: frozenset[str] = frozenset()
    """Columns of the shape that somebody's `columns` says."""
    shown: frozenset[str] = frozenset()
    """Columns that the judge format shows beside the prompt."""

    def require(self, columns: Iterable[str]) -> None:
        """Raise where a column is missing, naming all that are, and those that are there."""
        missing = [column for column in columns if column not in self.columns]
        if missing:
            raise DataError(
                f"{self.where}: no column {', '.join(map(repr, missing))}; found "
                f"{', '.join(map(repr, self.columns)) or 'none'}. Rename or add what is missing."
            )

    def filled(self, columns: Iterable[str]) -> list[str]:
        """Return those columns that hold something: others' rows have null or NaN, CSV nothing."""
        return [column for column in columns if not _is_empty(self.columns.get(column))]

    def unusable(self, problem: str) -> NoReturn:
        """Raise for a row without anything to judge: an error in a file of one's own."""
        raise (Unusable if self.published else DataError)(f"{self.where}: {problem}")

    def text(self, column: str) -> str:
        """Return a text that is not empty."""
        self.require([column])
        return self._text(column, self.columns[column])

    def _text(self, column: str, value: Any) -> str:
        if value is None:
            raise DataError(f"{self.where}: {column!r} is null. Fill it in or remove the row.")
        if not isinstance(value, str):
            raise self.unexpected(column, value, "text")
        self.require_unicode(column, self.not_empty(column, value))
        return value

    def not_empty(self, column: str, text: str) -> str:
        """Return a text that is there."""
        if not text.strip():
            self.unusable(f"{column!r} is empty. Fill it in or remove the row.")
        return text

    def require_unicode(self, column: str, text: str) -> None:
        """Raise where a text has half of a surrogate pair."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self.where}: {column!r} is no valid Unicode ({error.reason} at character "
                f"{error.start}). Fix or remove the row."
            ) from error

    def prompt(self, column: str) -> str:
        """Return a text that is one turn, rather than a list of turns written as text."""
        return self._turn(column, is_list_of_texts)

    def answer(self, column: str) -> str:
        """Return a text that is one turn; a list can be just what was asked for."""
        return self._turn(column, is_list_of_turns)

    def _turn(self, column: str, is_list: Callable[[str], bool]) -> str:
        text = self.text(column)
        if is_list(text):
            self.unusable(
                f"{column!r} is a list written as text, {text[:40]!r}; expected one turn. Write "
                "its turns as one text, or remove the row."
            )
        return text

    def key(self, column: str) -> str:
        """Return an id, which may also be a whole number."""
        self.require([column])
        value = self.columns[column]
        return str(value) if type(value) is int else self._text(column, value)

    def texts(self, column: str) -> list[str]:
        """Return a list of texts, none of them empty; in CSV it is written as JSON."""
        return [self._text(column, value) for value in self._list(column)]

    def turns_of(self, column: str, role: str) -> list[str]:
        """Return what one role said in a conversation: a list of {role, content}."""
        turns = self._list(column)
        if not all(
            isinstance(turn, Mapping) and {"role", "content"} <= set(turn) for turn in turns
        ):
            raise self.unexpected(column, turns, "a list of {role, content}")
        return [self._text(column, turn["content"]) for turn in turns if turn["role"] == role]

    def _list(self, column: str) -> list[Any]:
        self.require([column])
        value = self.columns[column]
        try:
            items = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            items = None
        if not isinstance(items, list) or not items:
            raise self.unexpected(column, value, "a list with something in it")
        return items

    def items(self, column: str) -> list[Any]:
        """Return a list with something in it; in CSV it is written as JSON."""
        return self._list(column)

    def number(self, column: str) -> float:
        """Return a number; in CSV it is text."""
        self.require([column])
        value = self.columns[column]
        if isinstance(value, bool):
            raise self.unexpected(column, value, "a number")
        return self.number_in(column, value)

    def number_in(self, place: str, value: Any) -> float:
        """Return a number somewhere in a column; true is 1."""
        try:
            if not isfinite(number := float(value)):
                raise ValueError
            return number
        except (TypeError, ValueError) as error:
            raise self.unexpected(place, value, "a number") from error

    def text_in(self, place: str, value: Any) -> str:
        """Return a text that is not empty, somewhere in a column."""
        return self._text(place, value)

    def one_of(self, column: str, meanings: Mapping[str, T]) -> T:
        """Return what a label means."""
        self.require([column])
        value = self.columns[column]
        if str(value) not in meanings:
            raise self.unexpected(column, value, " or ".join(map(repr, meanings)))
        return meanings[str(value)]

    def unexpected(self, column: str, value: Any, expected: str) -> DataError:
        """Return the error for a value of another kind."""
        return DataError(
            f"{self.where}: {column!r} is {type(value).__name__} {str(value)[:40]!r}; expected "
            f"{expected}. Correct it or remove the row."
        )


def _is_empty(value: Any) -> bool:
    return value in (None, "") or (isinstance(value, float) and isnan(value))
