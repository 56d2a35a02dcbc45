"""Instructions from files and hub data sets: each row is read, or dropped for a counted reason."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ste_plugin.errors import DataError
from ste_plugin.instructions.sources.forms import (
    check_columns,
    failed_filter,
    read_instructions_of,
)
from ste_plugin.instructions.sources.readers import READERS, MalformedRow, RawRow, check_source
from ste_plugin.instructions.sources.row_values import BadRow, LeftOut
from ste_plugin.records import Drop, Instruction

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig
    from ste_plugin.instructions.sources.readers import Reader

__all__ = ["READERS", "MalformedRow", "read_instructions"]


def read_instructions(
    sources: Sequence["SourceConfig"],
    base: Path,
    reader_of: Callable[[str], "Reader"],
    shown: Sequence[str] = (),
) -> Iterator[Instruction | Drop]:
    """Yield the instructions of all sources in order, and a Drop for every row without one.

    `base` is the folder of the config; a Drop's key is the row's location. `shown`: columns of the
    judge format, which `columns` may name beside the form's. A source with a `limit`
    is read only until that many instructions are found. Before anything is read, the files of all
    are looked at.
    Raises: DataError at a bad line under `on_bad_line: error`, for a file that cannot be read, or
    where no instruction is found.
    """
    unread = _Unread()
    total = 0
    for source in sources:
        check_columns(source, shown)
        check_source(source, base)
    for source in sources:
        count = 0
        rows = reader_of(source.reader)(source, base)
        for result in (r for location, row in rows for r in _read(location, row, source)):
            if isinstance(result, DroppedRow):
                unread.count(result)
                yield result.drop
                continue
            yield result
            count += 1
            if count == source.limit:
                break
        total += count
    if not total:
        raise _no_instructions_error(sources, unread)


@dataclass(slots=True)
class _Unread:
    """How many rows yielded no instruction, and what is wrong with the first bad one."""

    reasons: Counter[str] = field(default_factory=Counter)
    problem: str = ""

    def count(self, row: "DroppedRow") -> None:
        """Count a row."""
        self.reasons[row.drop.reason] += 1
        self.problem = self.problem or row.problem


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that yields no instruction."""

    drop: Drop
    problem: str = ""
    """What is wrong with it; empty where it is filtered or left out by its form."""


def _read(location: str, row: RawRow, source: "SourceConfig") -> Iterator[Instruction | DroppedRow]:
    """Yield the results of a row; `on_bad_line` is decided here, for every reader and form."""
    try:
        if isinstance(row, MalformedRow):
            raise BadRow(row.problem)
        if column := failed_filter(location, row, source):
            yield DroppedRow(Drop("sources", location, f"filtered: {column}"))
            return
        yield from read_instructions_of(location, row, source)
    except LeftOut as left_out:
        yield DroppedRow(Drop("sources", location, left_out.reason))
    except BadRow as error:
        if source.on_bad_line == "skip":
            yield DroppedRow(Drop("sources", location, error.reason), str(error))
            return
        raise DataError(
            f"{error}\nOr set on_bad_line: skip to leave such lines out and count them."
        ) from error


def _no_instructions_error(sources: Sequence["SourceConfig"], unread: _Unread) -> DataError:
    names = ", ".join(source.path for source in sources)
    counts = unread.reasons.most_common()
    reasons = f" ({', '.join(f'{reason} {n}' for reason, n in counts)})" if counts else ""
    example = f"\nThe first bad line: {unread.problem}" if unread.problem else ""
    return DataError(
        f"{names}: no instruction is left of {unread.reasons.total()} rows read{reasons}; expected "
        "at least one. Loosen `where`, correct `form` and `columns`, or give another file."
        f"{_unquoted(sources, unread)}{example}"
    )


def _unquoted(sources: Sequence["SourceConfig"], unread: _Unread) -> str:
    """Return what may be amiss where rows are left out for a boolean that they do not have."""
    for column, wanted in (item for source in sources for item in source.where.items()):
        if isinstance(wanted, bool) and unread.reasons[f"filtered: {column}"]:
            word = "yes or on" if wanted else "no or off"
            return (
                f"\n`where` asks for {column}: {str(wanted).lower()}, which YAML makes of {word}, "
                "too: put the word in quotes where it is the file's own."
            )
    return ""
