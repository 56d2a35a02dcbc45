"""Readers: yield the raw rows of a file or data set, each with its location, one at a time."""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources.files import SourceFile, find_source_files
from ste_plugin.instructions.sources.parquet import check_parquet, parquet_rows
from ste_plugin.instructions.sources.unpacking import (
    NEEDS_EXTRA,
    open_unpacked,
    read_lines,
    require_text,
    wrap_read_errors,
)
from ste_plugin.storage.jsonl import parse_line
from ste_plugin.text.file_type import JSON_LINES_HINT, quote_start

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig

RawRow = dict[str, Any]

Reader = Callable[["SourceConfig", Path], Iterator[tuple[str, RawRow]]]
"""(settings, folder of the config) → (location for messages, raw row) pairs."""

_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a wrong byte
_LONGEST_FIELD = 1 << 24
"""Characters of a CSV field; Python's own limit is 131,072."""


class MalformedRow(dict[str, Any]):
    """Represents a malformed line in a reader's output, so that reading can continue.

    Whether it ends the run or is counted is decided by `on_bad_line`, in one place for all readers.
    """

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem
        """The whole message: location, what was found, what was expected."""


def jsonl_rows(path: Path, shown: str) -> Iterator[tuple[str, RawRow]]:
    """Yield a row for each non-empty line; a byte-order mark and CRLF are accepted.

    Raises: DataError for a list of rows, of which single lines can be read by chance.
    """
    name, is_first = Path(shown), True
    for number, line in read_lines(path):
        if is_first and line.lstrip().startswith(b"["):
            raise DataError(
                f"{shown}:{number}: expected one JSON object a line, found the start of a list, "
                f"{quote_start(line)}.{JSON_LINES_HINT}"
            )
        is_first = False
        yield f"{shown}:{number}", _parse_or_malformed(name, number, line)


def _parse_or_malformed(path: Path, number: int, line: bytes) -> RawRow:
    try:
        return parse_line(path, number, line)
    except DataError as error:
        return MalformedRow(str(error))


def csv_rows(path: Path, shown: str) -> Iterator[tuple[str, RawRow]]:
    """Yield a row of strings for each record below the header; empty lines are skipped.

    The location is the line where a record starts, as quoted fields may hold line breaks.
    Raises: DataError for a broken record that may go on in other lines, whatever `on_bad_line` is.
    """
    require_text(path)
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    start = 1
    with wrap_read_errors(path, lambda: start), _open_csv(path) as file:
        read = _LinesRead(file)
        lines = csv.reader(read, strict=True)
        header = _header(shown, lines)
        start = lines.line_num + 1
        while (fields := _next_record(lines)) is not None:
            if isinstance(fields, str) and (lines.line_num > start or read.last.count('"') % 2):
                # a packed file that is damaged says so at its end, which is the cause then
                deque(file, maxlen=0)
                raise DataError(
                    f"{shown}:{start}: not a CSV record: {fields}, and where it ends cannot be "
                    "told. Fix its quotes: close each field that begins with one, and write those "
                    "within it twice."
                )
            location, start = f"{shown}:{start}", lines.line_num + 1
            if fields:
                yield location, _csv_row(location, header, fields)


class _LinesRead:
    """The lines of a file; the last one that was read is known."""

    def __init__(self, file: Iterator[str]) -> None:
        self._file = file
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._file)
        return self.last


def _open_csv(path: Path) -> io.TextIOWrapper:
    # A wrong byte becomes a lone surrogate, so that only its own record is malformed.
    return io.TextIOWrapper(
        open_unpacked(path), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )


def _header(name: str, lines: Any) -> list[str]:
    header = _next_record(lines)
    if header is None:
        return []
    if isinstance(header, str):
        raise _header_error(name, header)
    if not header:
        raise _header_error(name, "an empty line")
    if _NOT_UTF8.search("".join(header)):
        raise _header_error(name, "bytes that are not UTF-8")
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise DataError(
            f"{name}:1: the header names {', '.join(map(repr, repeated))} more than once; "
            "expected each column once. Rename one of them."
        )
    return header


def _header_error(name: str, problem: str) -> DataError:
    return DataError(f"{name}:1: expected a CSV header in UTF-8, found {problem}. Fix the file.")


def _next_record(lines: Any) -> list[str] | str | None:
    """Return the next record, what is wrong with it, or None at the end."""
    try:
        return next(lines, None)
    except csv.Error as error:
        if "field limit" in str(error):
            limit = f"{csv.field_size_limit():,}"
            return f"a field of more than {limit} characters, as after a quote that is never closed"
        return f"broken quoting ({error})"


def _csv_row(location: str, header: list[str], fields: list[str] | str) -> RawRow:
    if isinstance(fields, str):
        return MalformedRow(f"{location}: not a CSV record: {fields}. Fix or remove it.")
    if _NOT_UTF8.search("".join(fields)):
        return MalformedRow(
            f"{location}: expected UTF-8, found other bytes. Save the file as UTF-8."
        )
    if len(fields) != len(header):
        return MalformedRow(
            f"{location}: expected {len(header)} fields as in the header, found {len(fields)}: "
            f"{','.join(fields)[:60]!r}. Fix or remove the record; a comma inside a field needs "
            "quotes."
        )
    return dict(zip(header, fields, strict=True))


_ROWS: dict[str, Callable[[Path, str], Iterator[tuple[str, RawRow]]]] = {
    "jsonl": jsonl_rows,
    "csv": csv_rows,
    "parquet": parquet_rows,
}
"""Kind of file → what yields (location, row) of a file at a path, called as messages name it."""


def read_file_rows(kind: str, file: SourceFile) -> Iterator[tuple[str, RawRow]]:
    """Yield the rows of one file of a kind, each with its location and the columns of its folders.

    Raises: DataError where the file cannot be read, wherever in it.
    """
    for location, row in _ROWS[kind](file.path, file.shown):
        if file.columns and not isinstance(row, MalformedRow):
            row = {**file.columns, **row}
        yield location, row


def check_source(source: "SourceConfig", base: Path) -> Sequence[SourceFile]:
    """Return the files of a source, each looked at where it begins, and Parquet where it ends.

    None where its reader reads no files. Raises: DataError for the first that cannot be read.
    """
    if source.reader not in _ROWS:
        return []
    files = find_source_files(source, base, source.reader)
    for file in files:
        (check_parquet if source.reader == "parquet" else require_text)(file.path)
    return files


def _file_reader(kind: str) -> "Reader":
    """Return a reader of the files of one kind, one after another."""

    def read(source: "SourceConfig", base: Path) -> Iterator[tuple[str, RawRow]]:
        for file in find_source_files(source, base, kind):
            yield from read_file_rows(kind, file)

    return read


def read_hub(source: "SourceConfig", base: Path) -> Iterator[tuple[str, RawRow]]:  # noqa: ARG001
    """Yield the rows of a data set as they stream in; locations count from 0 as in `datasets`."""
    try:
        import datasets
    except ImportError as error:
        raise ConfigError(f"reader: hub needs datasets ({error}). {NEEDS_EXTRA}") from error
    index = 0
    try:
        rows = datasets.load_dataset(source.path, source.subset, split=source.split, streaming=True)
        for row in rows:
            yield f"hub:{source.path}#{index}", dict(row)
            index += 1
    # Not found, offline, wrong split or subset, a broken file: as many types as it has libraries.
    except Exception as error:
        raise DataError(
            f"hub:{source.path} (split {source.split!r}): cannot be read, at row {index} "
            f"({type(error).__name__}: {error}). Check the name, `split`, `subset` and the network."
        ) from error


READERS: "dict[str, Reader]" = {**{kind: _file_reader(kind) for kind in _ROWS}, "hub": read_hub}
