"""JSONL files: append, repair, read, replace; and writing any file so that it is whole or absent."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ste_plugin.errors import DataError
from ste_plugin.records import Record

R = TypeVar("R", bound=Record)


def to_line(row: Mapping[str, Any]) -> bytes:
    """Return one line of UTF-8 JSON; text that UTF-8 cannot hold (a lone surrogate) is escaped."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file that is either the old one or the whole new one, whatever happens meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def replace_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a derived JSONL file as a whole."""
    replace_bytes(path, b"".join(to_line(row) for row in rows))


def replace_records(path: Path, records: Iterable[Record]) -> None:
    """Replace a derived JSONL file by these records."""
    replace_rows(path, (record.to_dict() for record in records))


def replace_json(path: Path, value: Any) -> None:
    """Replace a JSON file as a whole."""
    replace_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises: DataError where the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}). Delete it and run again.") from error


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, row) for every non-empty line.

    Raises: DataError naming file and line where a line is not a JSON object.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    with file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, parse_line(path, number, line)


def parse_line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the object on one line.

    Raises: DataError naming file, line and what was found.
    """
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        found = line[:60].decode("utf-8", "replace").strip()
        raise DataError(
            f"{path}:{number}: not a JSON object ({error}); found {found!r}. Mend or remove the line."
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{path}:{number}: expected a JSON object, found {type(row).__name__} {str(row)[:40]!r}."
        )
    return row


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Return the records of a derived file, in order.

    Raises: DataError naming file and line; the cure is to derive the file anew.
    """
    records = []
    for number, row in read_rows(path):
        try:
            records.append(kind.from_dict(row))
        except DataError as error:
            raise DataError(
                f"{path}:{number}: {error}.\nDerived file: delete it and run the same command again."
            ) from error
    return records


def cut_torn_tail(path: Path) -> int:
    """Remove an unfinished last line, as a killed writer leaves it; return the bytes removed."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return len(content) - whole


@contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """Open a JSONL file for append, its torn tail cut and what is written fsynced at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_torn_tail(path)
    with path.open("ab") as file:
        try:
            yield file
        finally:
            file.flush()
            os.fsync(file.fileno())
