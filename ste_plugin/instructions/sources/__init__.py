"""Instructions from files and hub data sets: each row is read, or dropped for a counted reason."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ste_plugin.errors import DataError
from ste_plugin.instructions.sources.forms import (
    BadRow,
    LeftOut,
    check_columns,
    failed_filter,
    read_row,
)
from ste_plugin.instructions.sources.readers import READERS, MalformedRow, RawRow
from ste_plugin.records import Drop, Instruction

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig
    from ste_plugin.instructions.sources.readers import Reader

__all__ = ["READERS", "MalformedRow", "read_instructions"]


def read_instructions(
    sources: Sequence["SourceConfig"], base: Path, reader_of: Callable[[str], "Reader"]
) -> tuple[list[Instruction], list[Drop]]:
    """Return the instructions of all sources in order, and a Drop for every row without one.

    `base` is the folder of the config; a Drop's key is the row's location. A source with a `limit`
    is read only until that many instructions are found.
    Raises: DataError at a bad line under `on_bad_line: error`, or where no instruction is found.
    """
    kept: list[Instruction] = []
    dropped: list[DroppedRow] = []
    for source in sources:
        check_columns(source)
        count = 0
        for location, row in reader_of(source.reader)(source, base):
            result = _read(location, row, source)
            if isinstance(result, DroppedRow):
                dropped.append(result)
                continue
            kept.append(result)
            count += 1
            if count == source.limit:
                break
    if not kept:
        raise _no_instructions_error(sources, dropped)
    return kept, [row.drop for row in dropped]


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that yields no instruction."""

    drop: Drop
    problem: str = ""
    """What is wrong with it; empty where it is filtered or left out by its form."""


def _read(location: str, row: RawRow, source: "SourceConfig") -> Instruction | DroppedRow:
    """Return the result of a row; `on_bad_line` is decided here, for every reader and form."""
    try:
        if isinstance(row, MalformedRow):
            raise BadRow(row.problem)
        if column := failed_filter(location, row, source):
            return DroppedRow(Drop("sources", location, f"filtered: {column}"))
        return read_row(location, row, source)
    except LeftOut as left_out:
        return DroppedRow(Drop("sources", location, left_out.reason))
    except BadRow as error:
        if source.on_bad_line == "skip":
            return DroppedRow(Drop("sources", location, error.reason), str(error))
        raise DataError(
            f"{error}\nOr set on_bad_line: skip to leave such lines out and count them."
        ) from error


def _no_instructions_error(
    sources: Sequence["SourceConfig"], dropped: Sequence[DroppedRow]
) -> DataError:
    names = ", ".join(source.path for source in sources)
    counts = Counter(row.drop.reason for row in dropped).most_common()
    reasons = f" ({', '.join(f'{reason} {n}' for reason, n in counts)})" if counts else ""
    problem = next((row.problem for row in dropped if row.problem), "")
    example = f"\nThe first bad line: {problem}" if problem else ""
    return DataError(
        f"{names}: no instruction is left of {len(dropped)} rows read{reasons}; expected at least "
        "one. Loosen `where`, correct `form` and `columns`, or give another file."
        f"{example}"
    )
