"""Forms: where in a raw row the instruction is."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ste_plugin.errors import ConfigError, DataError, did_you_mean
from ste_plugin.records import Instruction, content_key
from ste_plugin.text.listed_turns import is_list_of_texts

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_COMMON_COLUMNS = ("prompt", "question", "text", "query", "input")
"""Common names of a column of instructions."""
_SYSTEM = ("system", "developer")
_QUALITIES = "helpful|honest|harmless|friendly|polite|respectful|useful|AI"
_SAYS_NOTHING = re.compile(rf"You are an?( ({_QUALITIES}),?( and)?)* assistant\.?", re.IGNORECASE)
"""A system turn that asks for nothing."""


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


@dataclass(frozen=True, slots=True)
class Form:
    """One layout of a row that holds an instruction."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    text: Callable[[Mapping[str, Any]], str]
    """Row under the form's own column names → the instruction. Its BadRow names no location; it may
    also raise LeftOut."""


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def _as_text(value: Any, where: str) -> str:
    """Return text, empty for None."""
    if value is None or isinstance(value, str):
        return value or ""
    raise BadRow(f"{where}: expected text, found {_describe(value)}")


def _as_answer(value: Any) -> str:
    """Return a final answer as text; in many files it is a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _LONE_SURROGATE.sub("\ufffd", _as_text(value, _ANSWER)).strip()


def _content(value: Any, where: str) -> str:
    """Return a turn's text: a string, or the text parts of a list of parts."""
    if not isinstance(value, list):
        return _as_text(value, where)
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise BadRow(f"{where}: expected parts of type 'text' only, found {_describe(part)}")
    return "\n".join(_as_text(part.get("text"), where) for part in value)


def _from_json(text: str) -> Any:
    """Return the list or mapping that a text is in JSON, else the text."""
    try:
        return json.loads(text) if text.lstrip()[:1] in ("[", "{") else text
    except (ValueError, RecursionError):
        return text


@dataclass(frozen=True, slots=True)
class Conversation:
    """A column of turns, in which the user's first message is the instruction."""

    column: str
    role: str
    content: str
    users: tuple[str, ...] = ("user",)

    def text(self, row: Mapping[str, Any]) -> str:
        """Return what the user asks first, in one turn or several, below what the system was told.

        Raises: LeftOut for the middle of a conversation, where that makes no sense alone.
        """
        turns = self._turns(row[self.column])
        system = list(takewhile(lambda turn: self._is_from(turn, _SYSTEM), turns))
        rest = turns[len(system) :]
        first = list(takewhile(lambda turn: self._is_from(turn, self.users), rest))
        if not first:
            if rest:
                self._require(rest[0], self.role)
            if any(self._is_from(turn, self.users) for turn in turns):
                raise LeftOut("first turn is not the user's")
            raise BadRow(f"{self.column}: no turn of the user among {len(turns)}", "no user turn")
        said = [self._words(self._require(turn, self.content)) for turn in first]
        asked = "\n\n".join(words for words in said if words)
        told = [self._words(turn.get(self.content)) for turn in system]
        told = [words for words in told if words and not _SAYS_NOTHING.fullmatch(words)]
        return "\n\n".join([*told, asked]) if asked else ""

    def user_turns(self, row: Mapping[str, Any]) -> list[str]:
        """Return what the user says in each turn, wherever in the conversation it is."""
        asked = [t for t in self._turns(row[self.column]) if self._is_from(t, self.users)]
        said = [self._words(self._require(turn, self.content)) for turn in asked]
        return [_LONE_SURROGATE.sub("\ufffd", words) for words in said if words]

    def _is_from(self, turn: Mapping[str, Any], who: tuple[str, ...]) -> bool:
        role = turn.get(self.role)
        return isinstance(role, str) and role.strip().casefold() in who

    def _turns(self, value: Any) -> list[dict[str, Any]]:
        """Return the turns of a list, or of one list per key, as `datasets` may store them.

        Either may be written as JSON in a column of text.
        """
        turns = value = _from_json(value) if isinstance(value, str) else value
        if isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values()):
            turns = [dict(zip(value, turn, strict=True)) for turn in zip_longest(*value.values())]
        if not isinstance(turns, list) or not all(isinstance(t, dict) for t in turns):
            raise BadRow(f"{self.column}: expected a list of turns, found {_describe(value)}")
        return turns

    def _require(self, turn: Mapping[str, Any], key: str) -> Any:
        # Parquet fills keys that only other turns have with null, which says as little as no key.
        if (value := turn.get(key)) is None:
            raise BadRow(
                f"{self.column}: expected turns with {self.role!r} and {self.content!r}, "
                f"found one without {key!r}"
            )
        return value

    def _words(self, content: Any) -> str:
        return _content(content, f"{self.column}: {self.content}").strip()


def _plain(row: Mapping[str, Any]) -> str:
    text = _as_text(row["instruction"], "instruction")
    if is_list_of_texts(text):
        raise BadRow(
            f"instruction: expected one text, found a list written as text, {text[:40]!r}",
            "list written as text",
        )
    return text


def _alpaca(row: Mapping[str, Any]) -> str:
    """Return the instruction and, after a blank line, its input where there is one."""
    text = _as_text(row.get("input"), "input").strip()
    return f"{_plain(row).strip()}\n\n{text}" if text else _plain(row)


_ANSWER = "final_answer"
"""Read where `columns` names it alone: a file may have a column of that name for something else."""
_LABELS = ("category", "id", _ANSWER)
_WILDCHAT = Conversation("conversation", "role", "content")
_SHAREGPT = Conversation("conversations", "from", "value", ("human", "user"))
_OPENAI = Conversation("messages", "role", "content")
CONVERSATIONS = {"wildchat": _WILDCHAT, "sharegpt": _SHAREGPT, "openai": _OPENAI}
FORMS = {
    "plain": Form(("instruction",), _LABELS, _plain),
    "wildchat": Form((_WILDCHAT.column,), _LABELS, _WILDCHAT.text),
    "sharegpt": Form((_SHAREGPT.column,), _LABELS, _SHAREGPT.text),
    "openai": Form((_OPENAI.column,), _LABELS, _OPENAI.text),
    "alpaca": Form(("instruction",), ("input", *_LABELS), _alpaca),
}


def check_columns(source: "SourceConfig") -> None:
    """Raise ConfigError where `columns` maps a column that the form does not have."""
    form = FORMS[source.form]
    names = (*form.required, *form.optional)
    for name in source.columns:
        if name not in names:
            hint = did_you_mean(name, names)
            raise ConfigError(
                f"instructions.columns: the form {source.form!r} has no column {name!r}.{hint} "
                f"It has: {', '.join(names)}. Write {{form's column: file's column}}."
            )


def read_row(
    location: str, row: Mapping[str, Any], source: "SourceConfig", what: str = "an instruction"
) -> Instruction:
    """Return the instruction of one row; `what` errors call it.

    Raises: BadRow naming the location, what was found and what was expected; LeftOut.
    """
    values = _form_values(location, row, source)
    try:
        text = _LONE_SURROGATE.sub("\ufffd", FORMS[source.form].text(values)).strip()
        category = _as_text(values["category"], "category").strip()
        answer = _as_answer(values[_ANSWER])
    except BadRow as error:
        raise BadRow(f"{location}: {error}. Fix or remove it.", error.reason) from error
    if not text:
        raise BadRow(
            f"{location}: expected {what}, found an empty one. Fill it in or remove it.",
            f"empty {what.split()[-1]}",
        )
    origin = location if values["id"] in (None, "") else f"{location} ({values['id']})"
    return Instruction(
        content_key("instruction", text), text, origin, category, final_answer=answer or UNSET
    )


def _form_values(location: str, row: Mapping[str, Any], source: "SourceConfig") -> dict[str, Any]:
    """Return a row's values under the form's own column names, None for an absent optional one."""
    form = FORMS[source.form]
    values = {}
    for name in (*form.required, *form.optional):
        column = source.columns.get(name, name)
        if column not in row and (name in form.required or name in source.columns):
            raise missing_column(location, row, source, name)
        is_read = name != _ANSWER or name in source.columns
        values[name] = row.get(column) if is_read else None
    return values


def missing_column(
    location: str, row: Mapping[str, Any], source: "SourceConfig", name: str
) -> BadRow:
    """Return the error that lists the row's columns, suggests the nearest, and says what to do."""
    wanted = source.columns.get(name, name)
    common = [column for column in _COMMON_COLUMNS if column in row]
    near = get_close_matches(wanted, row, n=1, cutoff=0.5) or common
    others = [n for n, f in FORMS.items() if n != source.form and set(f.required) <= row.keys()]
    message = f"{location}: no column {wanted!r}; found {', '.join(map(repr, row)) or 'none'}."
    if separator := _other_separator(row):
        message += f" Its fields are separated by {separator!r}: save it with commas."
    elif near:
        message += f" Did you mean {near[0]!r}? Then set columns: {{{name}: {near[0]}}}."
    else:
        message += f" Name the right one: columns: {{{name}: ...}}."
    if others:
        message += f" The columns fit form: {others[0]}."
    return BadRow(message, f"no column {wanted!r}")


def _other_separator(row: Mapping[str, Any]) -> str:
    """Return what separates the fields of a CSV file that was read as one column, or ''."""
    return next((s for s in ";\t|" if len(row) == 1 and s in next(iter(row))), "")


def failed_filter(location: str, row: Mapping[str, Any], source: "SourceConfig") -> str | None:
    """Return the first column of `where` whose value does not match, or None.

    Raises: BadRow where the row has no such column.
    """
    for column, wanted in source.where.items():
        if column not in row:
            hint = did_you_mean(column, row)
            raise BadRow(
                f"{location}: where: no column {column!r}; found "
                f"{', '.join(map(repr, row)) or 'none'}.{hint} `where` takes the file's own column "
                "names.",
                f"no column {column!r}",
            )
        if not _equal(row[column], wanted):
            return column
    return None


def _equal(value: Any, wanted: str | bool | int | float) -> bool:
    """Return whether a value is the one wanted; text is read as the type of the wanted value.

    A boolean is no number: `toxic: 1` does not match `true`.
    """
    if isinstance(value, str) and not isinstance(wanted, str):
        if isinstance(wanted, bool):
            return value.strip().lower() == str(wanted).lower()
        try:
            return float(value) == wanted
        except ValueError:
            return False
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)
