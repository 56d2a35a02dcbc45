"""Forms: where in a raw row the instruction is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace

from ste_plugin.errors import ConfigError, did_you_mean
from ste_plugin.instructions.sources.conversations import Conversation
from ste_plugin.instructions.sources.row_values import (
    LONE_SURROGATE,
    BadRow,
    as_text,
    input_text,
)
from ste_plugin.instructions.turns import with_turns
from ste_plugin.records import Instruction, content_key
from ste_plugin.text.listed_turns import is_list_of_texts
from ste_plugin.text.nested_texts import with_texts

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig

_COMMON_COLUMNS = ("prompt", "question", "text", "query", "input")
"""Common names of a column of instructions."""
_ASKED_BELOW = ("input", "context")
"""What an instruction is about, in rows as Alpaca's and Dolly's."""


@dataclass(frozen=True, slots=True)
class Form:
    """One layout of a row that holds an instruction."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    text: Callable[[Mapping[str, Any], "SourceConfig"], str]
    """Row under the form's own column names, and settings → the instruction. Its BadRow names no
    location; it may also raise LeftOut."""


def _short_text(value: Any, column: str) -> str:
    """Return a category or a final answer as text; in many files it is a number."""
    if type(value) in (int, float):
        return str(value)
    return LONE_SURROGATE.sub("\ufffd", as_text(value, column)).strip()


def _plain(row: Mapping[str, Any], _: "SourceConfig") -> str:
    text = as_text(row["instruction"], "instruction")
    if is_list_of_texts(text):
        raise BadRow(
            f"instruction: expected one text, found a list written as text, {text[:40]!r}",
            "list written as text",
        )
    return text


def _alpaca(row: Mapping[str, Any], source: "SourceConfig") -> str:
    """Return the instruction and, after a blank line, its input where there is one."""
    text, asked = input_text(row.get("input")), _plain(row, source)
    return f"{asked.strip()}\n\n{text}" if text else asked


_CATEGORY, _ANSWER = "category", "final_answer"
_LABELS = (_CATEGORY, "id", _ANSWER)
_WILDCHAT = Conversation("conversation", "role", "content")
_SHAREGPT = Conversation("conversations", "from", "value")
_OPENAI = Conversation("messages", "role", "content")
CONVERSATIONS = {"wildchat": _WILDCHAT, "sharegpt": _SHAREGPT, "openai": _OPENAI}
FORMS = {
    "plain": Form(("instruction",), _LABELS, _plain),
    "wildchat": Form((_WILDCHAT.column,), _LABELS, _WILDCHAT.text),
    "sharegpt": Form((_SHAREGPT.column,), _LABELS, _SHAREGPT.text),
    "openai": Form((_OPENAI.column,), _LABELS, _OPENAI.text),
    "alpaca": Form(("instruction",), ("input", *_LABELS), _alpaca),
}


def form_columns(source: "SourceConfig") -> tuple[str, ...]:
    """Return the columns that the form of a source has."""
    form = FORMS[source.form]
    return (*form.required, *form.optional)


def further_columns(source: "SourceConfig") -> list[str]:
    """Return the columns that a source names for the judge format alone."""
    names = form_columns(source)
    return [name for name in source.columns if name not in names]


def check_columns(source: "SourceConfig", shown: Sequence[str] = ()) -> None:
    """Raise ConfigError where `columns` maps a column that the form does not have, and that is none
    of those that the judge format shows."""
    names = form_columns(source)
    others = f"; and the judge format shows {', '.join(shown)}" if shown else ""
    for name in further_columns(source):
        if name not in shown:
            raise ConfigError(
                f"instructions.columns: the form {source.form!r} has no column {name!r}."
                f"{did_you_mean(name, (*names, *shown))} It has: {', '.join(names)}{others}. Write "
                "{form's column: file's column}."
            )


def read_instructions_of(
    location: str, row: Mapping[str, Any], source: "SourceConfig"
) -> Iterator[Instruction]:
    """Yield the instructions of one row: one, or of a conversation as many as `turns` says.

    Raises: as `read_row`, once those before what cannot be read are yielded.
    """
    form = CONVERSATIONS.get(source.form)
    if form is None:
        yield read_row(location, row, source)
        return
    values = _form_values(location, row, source)
    if source.turns == "first":
        read = read_row(location, row, source)
        yield replace(read, told=len(form.told(values, source)) or UNSET)
        return
    with _named(location):
        for number, turns, is_last in form.up_to_user_turns(values, source):
            told = number > 1 and source.turns == "all"
            read = _labelled(f"{location}, turn {number}" if told else location, "", values, source)
            if not is_last:  # what its row says beside is about its last answer
                read = replace(read, final_answer=UNSET, columns=UNSET)
            yield with_turns(read, turns)


def read_row(
    location: str, row: Mapping[str, Any], source: "SourceConfig", what: str = "an instruction"
) -> Instruction:
    """Return the instruction of one row; `what` errors call it.

    Raises: BadRow naming the location, what was found and what was expected; LeftOut.
    """
    values = _form_values(location, row, source)
    with _named(location):
        text = LONE_SURROGATE.sub("\ufffd", FORMS[source.form].text(values, source)).strip()
        instruction = _labelled(location, text, values, source)
    if not text:
        raise BadRow(
            f"{location}: expected {what}, found an empty one. Fill it in or remove it.",
            f"empty {what.split()[-1]}",
        )
    _refuse_more(location, row, source, text)
    return instruction


def _refuse_more(location: str, row: Mapping[str, Any], source: "SourceConfig", text: str) -> None:
    """Raise BadRow where a row of one text asks more than that, and `columns` names neither."""
    if source.form in CONVERSATIONS or "instruction" in source.columns:
        return
    read, said = {*source.columns.values(), *form_columns(source)}, " ".join(text.split())
    unread = (n for n in _ASKED_BELOW if n not in read and type(row.get(n)) in (str, int, float))
    for name in unread:
        asks = " ".join(input_text(row[name]).split())
        if asks not in said:
            form = "form: alpaca" * (source.form != "alpaca")
            columns = f"columns: {{input: {name}}}" * (name != "input")
            raise BadRow(
                f"{location}: {name!r} asks something that is not in 'instruction', "
                f"{asks[:40]!r}. Set {' and '.join(filter(None, (form, columns)))} to read both, "
                "or columns: {instruction: instruction} for that alone.",
                f"{name!r} is not read",
            )


@contextmanager
def _named(location: str) -> Iterator[None]:
    """Name the place of what is wrong with a row."""
    try:
        yield
    except BadRow as error:
        raise BadRow(f"{location}: {error}. Fix or remove it.", error.reason) from error


def _labelled(
    location: str, text: str, values: Mapping[str, Any], source: "SourceConfig"
) -> Instruction:
    """Return an instruction of a text with what else its row has."""
    category = _short_text(values[_CATEGORY], _CATEGORY)
    answer = _short_text(values[_ANSWER], _ANSWER)
    clean = partial(LONE_SURROGATE.sub, "\ufffd")
    further = tuple((name, with_texts(values[name], clean)) for name in further_columns(source))
    origin = location if values["id"] in (None, "") else f"{location} ({values['id']})"
    return Instruction(
        content_key("instruction", text),
        text,
        origin,
        category,
        final_answer=answer or UNSET,
        columns=further or UNSET,
    )


def _form_values(location: str, row: Mapping[str, Any], source: "SourceConfig") -> dict[str, Any]:
    """Return a row's values under the form's own column names, None for an absent optional one, and
    what the source names beside."""
    form = FORMS[source.form]
    values = {}
    for name in (*form_columns(source), *further_columns(source)):
        column = source.columns.get(name, name)
        if column not in row and (name in form.required or name in source.columns):
            raise missing_column(location, row, source, name)
        value = row.get(column)
        values[name] = value if name in source.columns or _counts_unnamed(name, value) else None
    return values


def _counts_unnamed(name: str, value: Any) -> bool:
    """Return whether a column counts that `columns` does not name.

    A file may have one called `final_answer` for something else, or a `category` that is a list.
    """
    is_short = isinstance(value, str) or type(value) in (int, float)
    return name != _ANSWER and (name != _CATEGORY or is_short)


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
