"""Readers: yield the raw rows of a file or data set, each with its location, one at a time."""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources.files import NEEDS_EXTRA, locate_text_file, wrap_read_errors
from ste_plugin.instructions.sources.parquet import read_parquet
from ste_plugin.storage.jsonl import parse_line

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig

RawRow = dict[str, Any]

Reader = Callable[["SourceConfig", Path], Iterator[tuple[str, RawRow]]]
"""(settings, folder of the config) → (location for messages, raw row) pairs."""

_BOM = b"\xef\xbb\xbf"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a wrong byte


class MalformedRow(dict[str, Any]):
    """Represents a malformed line in a reader's output, so that reading can continue.

    Whether it ends the run or is counted is decided by `on_bad_line`, in one place for all readers.
    """

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem
        """The whole message: location, what was found, what was expected."""


def read_jsonl(source: "SourceConfig", base: Path) -> Iterator[tuple[str, RawRow]]:
    """Yield a row for each non-empty line; a byte-order mark and CRLF are accepted."""
    path = locate_text_file(source, base)
    if path.suffix == ".csv":
        raise DataError(
            f"{path}: expected JSON lines, found a name that ends in .csv. Set reader: csv."
        )
    with wrap_read_errors(path), path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if text.strip():
                yield (
                    f"{source.path}:{number}",
                    _parse_or_malformed(Path(source.path), number, text),
                )


def _parse_or_malformed(path: Path, number: int, line: bytes) -> RawRow:
    try:
        return parse_line(path, number, line)
    except DataError as error:
        return MalformedRow(str(error))


def read_csv(source: "SourceConfig", base: Path) -> Iterator[tuple[str, RawRow]]:
    """Yield a row of strings for each record below the header; empty lines are skipped.

    The location is the line where a record starts, as quoted fields may hold line breaks.
    """
    path = locate_text_file(source, base)
    # A wrong byte becomes a lone surrogate, so that only its own record is malformed.
    with (
        wrap_read_errors(path),
        path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file,
    ):
        lines = csv.reader(file, strict=True)
        header = _header(source.path, lines)
        start = lines.line_num + 1
        while (fields := _next_record(lines)) is not None:
            location, start = f"{source.path}:{start}", lines.line_num + 1
            if fields:
                yield location, _csv_row(location, header, fields)


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


def read_hub(source: "SourceConfig", base: Path) -> Iterator[tuple[str, RawRow]]:  # noqa: ARG001
    """Yield the rows of a data set as they stream in; locations count from 0 as in `datasets`."""
    try:
        import datasets
        import pyarrow
    except ImportError as error:
        raise ConfigError(f"reader: hub needs datasets ({error}). {NEEDS_EXTRA}") from error
    index = 0
    try:
        rows = datasets.load_dataset(source.path, source.subset, split=source.split, streaming=True)
        for row in rows:
            yield f"hub:{source.path}#{index}", dict(row)
            index += 1
    # Not found, offline, wrong split or subset; a file that `datasets` or pyarrow cannot read.
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(
            f"hub:{source.path} (split {source.split!r}): cannot be read, at row {index} "
            f"({type(error).__name__}: {error}). Check the name, `split`, `subset` and the network."
        ) from error


READERS: "dict[str, Reader]" = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
    "hub": read_hub,
}
