"""JSONL files: append, repair, read, replace; and files that are whole or absent (see `durable`)."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
import orjson

from ste_plugin.errors import DataError
from ste_plugin.records import Record
from ste_plugin.storage.durable import (
    make_folder,
    move,
    open_binary,
    sync,
    sync_folder,
    wrap_write_errors,
)
from ste_plugin.text.file_type import LIST, problem_of, start_of

R = TypeVar("R", bound=Record)
T = TypeVar("T")


_encode_record = msgspec.json.Encoder().encode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode
_JSON_ONLY = (
    orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
)  # fmt: skip
_BLOCK = 1 << 16
_FIX = " Fix or remove the line."
_DERIVE_ANEW = (
    "delete it, and the done.json or manifest.json beside it, and run the same command again: it is made "
    "anew, and nothing is paid for twice."
)


def encode_row(row: Mapping[str, Any]) -> bytes:
    """Return one line of UTF-8 JSON; text that UTF-8 cannot hold (a lone surrogate) is escaped."""
    try:
        line = orjson.dumps(row, option=_JSON_ONLY)
    except TypeError:  # a lone surrogate, a large integer, a key that is no text
        line = b"null"
    # orjson says null for NaN, too; json is ten times slower and tells the two apart. Among much text
    # `rfind` is three times as quick as `in`.
    return (_encoded(row) if line.rfind(b"null") >= 0 else line) + b"\n"


def encode_record(record: Record) -> bytes:
    """Return one line of UTF-8 JSON, as `encode_row` does of a row."""
    try:
        return _encode_record(record) + b"\n"
    except (UnicodeEncodeError, TypeError):  # a lone surrogate; a subclass of text or of a number
        return encode_row(record.to_dict())


def _encoded(row: Mapping[str, Any]) -> bytes:
    try:
        return _encode(row).encode()
    except UnicodeEncodeError:
        return _encode_ascii(row).encode()


@contextmanager
def open_replacement(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when it is whole, and leaves nothing when it fails.

    Raises: DataError where the disk is full or cannot be written.
    """
    fresh = path.with_name(f".{path.name}.new")
    with open_new_file(fresh) as file:
        yield file
    move(fresh, path)


@contextmanager
def open_new_file(fresh: Path) -> Iterator[BinaryIO]:
    """Open a new file that is on disk at the end of the block, or gone when that fails.

    Raises: DataError where the disk is full or cannot be written.
    """
    make_folder(fresh.parent)
    try:
        with open_binary(fresh, "wb") as file:
            yield file
            sync(file)
    except BaseException:
        with suppress(OSError):  # the failure before it is the one to tell
            fresh.unlink(missing_ok=True)
        raise


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file that is either the old one or the whole new one, whatever happens meanwhile."""
    with open_replacement(path) as file:
        file.write(content)


def replace_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a derived JSONL file as a whole; rows are written as they come."""
    with open_replacement(path) as file:
        file.writelines(map(encode_row, rows))


def replace_records(path: Path, records: Iterable[Record]) -> None:
    """Replace a derived JSONL file by these records."""
    with open_replacement(path) as file:
        file.writelines(map(encode_record, records))


@contextmanager
def open_record_writer(path: Path) -> Iterator[Callable[[Record], object]]:
    """Open a derived JSONL file that takes the place of `path`; what is given writes one record."""
    with open_replacement(path) as file:
        yield lambda record: file.write(encode_record(record))


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


def read_derived_json(path: Path, read: Callable[[Any], T]) -> T:
    """Return what `read` makes of a JSON file that a run wrote.

    Raises: DataError where the file is missing, no JSON, or not what a run writes there.
    """
    found = read_json(path)
    try:
        return read(found)
    except (DataError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: changed since it was written ({error!r}). Delete it and run the same command "
            "again: it is made anew, and nothing is paid for twice."
        ) from error


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, row) for every non-empty line.

    Raises: DataError naming file and line where a line is not a JSON object.
    """
    return ((number, parse_line(path, number, line)) for number, line, _ in _lines(path))


def _lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Yield number, bytes and start of every non-empty line."""
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. If a run wrote it, {_DERIVE_ANEW}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    end = 0
    with file:
        for number, line in enumerate(file, start=1):
            start, end = end, end + len(line)
            if line.strip():
                yield number, line, start


@lru_cache
def _decoder(kind: type[R]) -> msgspec.json.Decoder[R]:
    return msgspec.json.Decoder(kind)


def parse_record(kind: type[R], path: Path, number: int, line: bytes) -> R:
    """Return the record on one line.

    Raises: DataError saying what is wrong with it.
    """
    try:
        found: R = _decoder(kind).decode(line)
        return found
    except (ValueError, RecursionError):
        # json knows lone surrogates, and says better what is wrong
        return kind.from_dict(parse_line(path, number, line))


def parse_line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the object on one line.

    Raises: DataError naming file, line and what was found.
    """
    if line.strip() in (b"[", b"{"):
        raise DataError(
            f"{path}:{number}: expected a JSON object, found the start of one over several lines.{LIST}"
        )
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise DataError(
            f"{path}:{number}: not a JSON object ({problem_of(error)}); found {start_of(line)}.{_FIX}"
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{path}:{number}: expected a JSON object, found {type(row).__name__} {str(row)[:40]!r}."
            f"{LIST if isinstance(row, list) else _FIX}"
        )
    return row


def iter_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Yield the records of a derived file in order, none held.

    Raises: DataError naming file and line; the cure is to derive the file anew.
    """
    return (record for record, _, _ in iter_record_spans(path, kind))


def iter_record_spans(path: Path, kind: type[R]) -> Iterator[tuple[R, int, int]]:
    """Yield the records of a derived file with the bytes between which they stand.

    Raises: DataError, as `iter_records`.
    """
    for number, line, start in _lines(path):
        try:
            record = parse_record(kind, path, number, line)
        except DataError as error:
            place = f"{path}:{number}: "
            told = str(error).removeprefix(place).removesuffix(_FIX).removesuffix(".")
            raise DataError(f"{place}{told}.\nDerived file: {_DERIVE_ANEW}") from error
        yield record, start, start + len(line)


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Return the records of a derived file, in order.

    Raises: DataError, as `iter_records`.
    """
    return list(iter_records(path, kind))


def truncate_partial_line(path: Path) -> int:
    """Remove an unfinished last line, as a killed writer leaves it; return the bytes removed.

    What is left is on disk then, whoever wrote it.
    """
    if not path.exists():
        return 0
    with wrap_write_errors(path), path.open("r+b") as file:
        size = whole = file.seek(0, os.SEEK_END)
        while whole:
            start = max(0, whole - _BLOCK)
            file.seek(start)
            newline = file.read(whole - start).rfind(b"\n")
            whole = start + newline + 1
            if newline >= 0:
                break
        if whole < size:
            file.truncate(whole)
        os.fsync(file.fileno())
    return size - whole


@contextmanager
def open_for_append(path: Path) -> Iterator[BinaryIO]:
    """Open a JSONL file for append, its torn tail cut and what is written synced at the end.

    Raises: DataError where the disk is full or cannot be written.
    """
    make_folder(path.parent)
    truncate_partial_line(path)
    is_new = not path.exists()
    with open_binary(path, "ab") as file:
        if is_new:
            sync_folder(path.parent)
        try:
            yield file
        finally:
            sync(file)
