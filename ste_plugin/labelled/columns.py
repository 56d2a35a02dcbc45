"""What a file calls its columns, where that is not what its shape calls them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ste_plugin.errors import ConfigError, DataError, did_you_mean
from ste_plugin.labelled.labels import LABEL_COLUMNS
from ste_plugin.labelled.lists import ITEM_COLUMNS, LISTS
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.shapes import KNOWN


def check_columns(columns: Mapping[str, str]) -> None:
    """Raise ConfigError where a mapping names a column that no shape has, or one file's twice."""
    for name in columns:
        if name not in KNOWN:
            raise ConfigError(
                f"columns (STE_JUDGE_COLUMNS): no shape has a column {name!r}."
                f"{did_you_mean(name, KNOWN)} Write {{column of a shape: the file's column}}, as "
                "{prompt: question, chosen: good, rejected: bad}."
            )
    files = list(columns.values())
    if twice := next((name for name in files if files.count(name) > 1), ""):
        both = " and ".join(repr(name) for name, file in columns.items() if file == twice)
        raise ConfigError(
            f"columns (STE_JUDGE_COLUMNS): {both} are both said to be {twice!r}; expected another "
            "column for each."
        )


def named_as_shapes_do(row: Row, columns: Mapping[str, str]) -> Row:
    """Return a row under the names that its shape has for its columns.

    Raises: DataError where the file has no such column.
    """
    if not columns:
        return row
    found = dict(row.columns)
    inner = {
        name: file
        for name, file in columns.items()
        if name in ITEM_COLUMNS and file not in row.columns
    }
    taken = {name: file for name, file in columns.items() if name not in inner}
    for name, file in taken.items():
        if file not in row.columns:
            raise DataError(
                f"{row.where}: no column {file!r}, which columns says is its {name!r}; found "
                f"{', '.join(map(repr, row.columns)) or 'none'}.{did_you_mean(file, row.columns)} "
                "Correct columns (STE_JUDGE_COLUMNS)."
            )
    for file in taken.values():
        del found[file]
    found |= {name: row.columns[file] for name, file in taken.items()}
    if inner:
        found = _with_items(row, found, inner)
    return replace(row, columns=found, named=row.named | columns.keys())


def with_labels(row: Row, labels: Mapping[str, str]) -> Row:
    """Return a row whose label is A, B or tie, by what the file writes for each.

    Raises: DataError for another one.
    """
    found, known = dict(row.columns), {_plain(label): side for label, side in labels.items()}
    for name in row.filled(LABEL_COLUMNS) if labels else ():
        value = found[name]
        if (side := known.get(_plain(value))) is None:
            raise row.unexpected(
                name, value, f"{' or '.join(map(repr, labels))}, as `labels` has them"
            )
        found[name] = side
    return replace(row, columns=found) if labels else row


def _plain(label: Any) -> str:
    """Return a label as text; a whole number without its zeros, as 1 of 1.0."""
    return re.sub(r"^([-+]?\d+)\.0*$", r"\1", str(label).strip())


def _with_items(row: Row, found: dict[str, Any], inner: Mapping[str, str]) -> dict[str, Any]:
    """Return columns with the objects of the list of responses under the shapes' names.

    Raises: DataError where none of them has such a key.
    """
    held = Row(row.where, found)
    column = next(iter(held.filled(LISTS)), "")
    items = held.items(column) if column else []
    keys = {key for item in items if isinstance(item, Mapping) for key in item}
    for name, file in inner.items():
        if file not in keys:
            raise DataError(
                f"{row.where}: no column {file!r}, which columns says is its {name!r}; found "
                f"{', '.join(map(repr, [*row.columns, *sorted(keys)])) or 'none'}."
                f"{did_you_mean(file, [*row.columns, *keys])} Correct columns (STE_JUDGE_COLUMNS)."
            )
    files = {file: name for name, file in inner.items()}
    hidden = inner.keys() - files.keys()  # by a column that stands for them
    renamed = [
        {files.get(key, key): value for key, value in item.items() if key not in hidden}
        for item in items
    ]
    return {**found, column: renamed}
