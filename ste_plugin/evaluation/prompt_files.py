"""Texts of any file of prompts or training rows, whichever column and form holds them."""

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError, did_you_mean
from ste_plugin.instructions.sources.conversations import Conversation
from ste_plugin.instructions.sources.files import SourceFile, find_files, match_files
from ste_plugin.instructions.sources.folders import kind_of
from ste_plugin.instructions.sources.forms import CONVERSATIONS, read_row
from ste_plugin.instructions.sources.row_values import BadRow
from ste_plugin.labelled.row_files import file_rows
from ste_plugin.labelled.rows import Row
from ste_plugin.records import Instruction, content_key

FORMS: tuple[str, ...] = get_args(SourceConfig.model_fields["form"].annotation)
_COLUMN = {
    "plain": "instruction",
    "alpaca": "instruction",
    "openai": "messages",
    "sharegpt": "conversations",
    "wildchat": "conversation",
}
"""Form → its column of the text or the turns."""
_TEXT_COLUMNS = ("prompt", "instruction", "question", "query", "input", "text")
_TURN_COLUMNS = (
    *("messages", "conversations", "conversation", "prompt", "context", "chosen"),
    "conversation_a",
)


def read_texts(
    path: str, base: Path, *, form: str = "", column: str = ""
) -> Iterator[Instruction | BadRow]:
    """Yield what is asked in each row of a file, a folder or a pattern of files, or why nothing is.

    Of a conversation that is what the user says in each turn. Without a `form` it is told from the
    first row of each file; `column` names the files' column, where that is another.
    Raises: DataError where a file cannot be read, or its columns hold no such thing; ConfigError
    for a form that there is none of.
    """
    if form and form not in FORMS:
        raise ConfigError(
            f"--form: found {form!r}.{did_you_mean(form, FORMS)} There are: {', '.join(FORMS)}."
        )
    for file in files_of(path, base):
        source: SourceConfig | None = None
        for row in file_rows(file.path, ""):
            source = source or _source_of(row, path, form, column)
            yield from _read(file.shown + row.where.removeprefix(str(file.path)), row, source)


def files_of(path: str, base: Path) -> Sequence[SourceFile]:
    """Return the files that a path names, those of all splits.

    Raises: DataError where there are none.
    """
    if (base / Path(path).expanduser()).exists():
        return find_files(path, base)
    if glob.has_magic(path):
        return match_files(path, base, "Correct the pattern.")
    raise DataError(f"{base / path}: no such file or folder. Correct the path.")


def _read(where: str, row: Row, source: SourceConfig) -> Sequence[Instruction | BadRow]:
    """Return what is asked in a row, or why nothing is; in the file's own names of columns."""
    form = CONVERSATIONS.get(source.form)
    name = form.column if form else "instruction"
    column = source.columns.get(name, name)
    if column not in row.columns:
        raise DataError(
            f"{where}: no column {column!r}, which the file's first row has; found "
            f"{', '.join(map(repr, row.columns)) or 'none'}. Name it alike in all rows."
        )
    if source.columns.get("input") not in row.columns:  # a row may leave out what is empty
        source = source.model_copy(update={"columns": _without_input(source.columns)})
    try:
        if form:
            return _turns(where, form, row.columns[column])
        return [read_row(where, row.columns, source, "a prompt")]
    except BadRow as error:
        told = str(error).removeprefix(f"{where}: ")
        if told.startswith(f"{name}: "):
            told = column + told.removeprefix(name)
        return [BadRow(f"{where}: {told}", error.reason)]


def _turns(where: str, form: Conversation, value: Any) -> Sequence[Instruction]:
    """Return what the user says in each turn. Raises: BadRow where there is nothing."""
    try:
        asked = form.user_turns({form.column: value})
    except BadRow as error:
        raise BadRow(f"{error}. Fix or remove it.", error.reason) from error
    if not asked:
        raise BadRow(
            f"{form.column}: expected a turn of the user, found none. Fix or remove it.",
            "no user turn",
        )
    return [
        Instruction(
            content_key("instruction", text), text, f"{where}, turn {n}" if n > 1 else where
        )
        for n, text in enumerate(asked, start=1)
    ]


def _source_of(row: Row, path: str, form: str, column: str) -> SourceConfig:
    """Return how the rows of a file are read, as its first row shows."""
    wanted = column or _COLUMN.get(form)
    if wanted and wanted not in row.columns:
        raise DataError(
            f"{row.where}: no column {wanted!r}; found {', '.join(map(repr, row.columns))}."
            f"{did_you_mean(wanted, row.columns)} Name the one that holds what is asked: --column."
        )
    columns = {_COLUMN[form]: column} if form and column else {}
    if not form:
        form, found = _form_of(row, (column,) if column else ())
        # a column that nobody named and that is the form's own says nothing of those beside it
        columns = {_COLUMN[form]: found} if column or found != _COLUMN[form] else {}
        if form == "plain" and found == "instruction" and not column and _has_context(row):
            form, columns = "alpaca", {"input": "context"}
    return SourceConfig(path=path, form=form, columns=columns)  # type: ignore[arg-type]


def _form_of(row: Row, only: tuple[str, ...]) -> tuple[str, str]:
    """Return a form, and the column that holds its text or turns."""
    columns = row.columns
    for name in only or _TEXT_COLUMNS:
        if isinstance(text := columns.get(name), str) and not text.lstrip().startswith("[{"):
            return "alpaca" if name == "instruction" and "input" in columns else "plain", name
    for name in only or _TURN_COLUMNS:
        if name in columns and not isinstance(columns[name], int | float | None):
            return _form_of_turns(columns[name]), name
    raise DataError(
        f"{row.where}: found no column of prompts among "
        f"{', '.join(map(repr, columns)) or 'none'}; expected one of "
        f"{', '.join(dict.fromkeys((*_TEXT_COLUMNS, *_TURN_COLUMNS)))}. Rename the column that "
        "holds them (`ste audit` also takes --column)."
    )


def _has_context(row: Row) -> bool:
    """Return whether what an instruction is about stands beside it, as in Dolly's rows."""
    return isinstance(row.columns.get("context"), str)


def _without_input(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: column for name, column in columns.items() if name != "input"}


def _form_of_turns(value: Any) -> str:
    """Return the form of a conversation, which may be written as JSON."""
    first = value[0] if isinstance(value, list) and value else value
    keys = first.keys() if isinstance(first, Mapping) else ()
    says_from = "from" in keys or (isinstance(value, str) and '"from"' in value[:200])
    return "sharegpt" if says_from else "openai"


def describe_source(path: str, base: Path) -> SourceConfig:
    """Return how a file of instructions is read, told from its first row.

    Raises: DataError where there is no such file, no row in it, or no column of prompts.
    """
    file = files_of(path, base)[0]
    row = next(iter(file_rows(file.path, "")), None)
    if row is None:
        raise DataError(f"{file.shown}: no instruction in it. Fill it, or name another.")
    source = _source_of(row, path, "", "")
    return source.model_copy(update={"reader": kind_of(file.path.name)})
