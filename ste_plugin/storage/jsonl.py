"""JSONL files: append, repair, read, replace; and files that are whole or absent (`durable`)."""

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
from ste_plugin.text.file_type import JSON_LINES_HINT, explain_json_error, quote_start

R = TypeVar("R", bound=Record)
T = TypeVar("T")


_encode_struct = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode
_JSON_ONLY = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_BLOCK = 1 << 16
FIX_LINE = " Fix or remove the line."
"""How an error on a line that is none ends."""
_HOW_TO_REBUILD = (
    "delete it, and the done.json or manifest.json beside it, and run the same command again: it "
    "is made again, and nothing is paid for twice."
)


def encode_row(row: Mapping[str, Any]) -> bytes:
    """Return a row as one line of UTF-8 JSON; lone surrogates are escaped."""
    try:
        line = orjson.dumps(row, option=_JSON_ONLY)
    except TypeError:  # a lone surrogate, a large integer, a key that is not a string
        line = b"null"
    # orjson writes null for NaN, too; json tells the two apart and is ten times slower. In long
    # texts `rfind` is three times as fast as `in`.
    if line.rfind(b"null") >= 0:
        line = _encode_by_json(row)
    return line + b"\n"


def encode_record(record: Record) -> bytes:
    """Return a record as one line of UTF-8 JSON, like `encode_row`."""
    try:
        return _encode_struct(record) + b"\n"
    except (UnicodeEncodeError, TypeError):  # a lone surrogate; a subclass of str or of a number
        return encode_row(record.to_dict())


def _encode_by_json(row: Mapping[str, Any]) -> bytes:
    try:
        return _encode(row).encode()
    except UnicodeEncodeError:
        return _encode_ascii(row).encode()


@contextmanager
def open_replacement(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` once it is whole, and that leaves nothing if writing fails.

    Raises: DataError where the disk is full or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    with open_new_file(temporary) as file:
        yield file
    move(temporary, path)


@contextmanager
def open_new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that is synced at the end of the block, or removed if the block fails.

    Raises: DataError where the disk is full or cannot be written.
    """
    make_folder(path.parent)
    try:
        with open_binary(path, "wb") as file:
            yield file
            sync(file)
    except BaseException:
        with suppress(OSError):  # the first failure is the one to report
            path.unlink(missing_ok=True)
        raise


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically: whatever happens, it has all of the old content or of the new."""
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
    """Open a derived JSONL file that replaces `path`; yields a function that writes one record."""
    with open_replacement(path) as file:
        yield lambda record: file.write(encode_record(record))


def replace_json(path: Path, value: Any) -> None:
    """Replace a JSON file as a whole."""
    replace_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises: DataError where the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}). Delete it and run again.") from error


def read_derived_json(path: Path, parse: Callable[[Any], T]) -> T:
    """Return `parse` of the content of a JSON file that a run wrote.

    Raises: DataError where the file is missing, not JSON, or not what a run writes there.
    """
    content = read_json(path)
    try:
        return parse(content)
    except (DataError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: changed since it was written ({error!r}). Delete it and run the same command "
            "again: it is made again, and nothing is paid for twice."
        ) from error


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, row) for every non-empty line.

    Raises: DataError naming file and line where a line is not a JSON object.
    """
    return ((number, parse_line(path, number, line)) for number, line, _ in _lines(path))


def _lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Yield number, bytes and byte offset of every non-empty line."""
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. If a run wrote it, {_HOW_TO_REBUILD}") from error
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
    """Return the record on one line. Raises: DataError saying what is wrong with it."""
    try:
        record: R = _decoder(kind).decode(line)
        return record
    except (ValueError, RecursionError):
        # json accepts lone surrogates, and its errors say better what is wrong
        return kind.from_dict(parse_line(path, number, line))


def parse_line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the object on one line. Raises: DataError naming file, line and what was found."""
    try:  # where it reads a line it reads what json does, which takes others and explains errors
        row = _decode(line)
    except (ValueError, RecursionError):
        row = _parse_by_json(path, number, line)
    if not isinstance(row, dict):
        raise DataError(
            f"{path}:{number}: expected a JSON object, found {type(row).__name__} "
            f"{str(row)[:40]!r}.{JSON_LINES_HINT if isinstance(row, list) else FIX_LINE}"
        )
    return row


def _parse_by_json(path: Path, number: int, line: bytes) -> Any:
    if line.strip() in (b"[", b"{"):
        raise DataError(
            f"{path}:{number}: expected a JSON object, found the start of one over several lines."
            f"{JSON_LINES_HINT}"
        )
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise DataError(
            f"{path}:{number}: not a JSON object ({explain_json_error(error)}); found "
            f"{quote_start(line)}.{FIX_LINE}"
        ) from error


def iter_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Yield the records of a derived file in order, holding none.

    Raises: DataError naming file and line, and saying how to make the file again.
    """
    return (record for record, _ in iter_record_starts(path, kind))


def iter_record_starts(path: Path, kind: type[R]) -> Iterator[tuple[R, int]]:
    """Yield (record, byte offset of its line) of a derived file.

    Raises: DataError, as `iter_records`.
    """
    for number, line, start in _lines(path):
        try:
            record = parse_record(kind, path, number, line)
        except DataError as error:
            location = f"{path}:{number}: "
            problem = str(error).removeprefix(location).removesuffix(FIX_LINE).removesuffix(".")
            raise DataError(f"{location}{problem}.\nDerived file: {_HOW_TO_REBUILD}") from error
        yield record, start


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Return the records of a derived file, in order.

    Raises: DataError, as `iter_records`.
    """
    return list(iter_records(path, kind))


def truncate_partial_line(path: Path) -> int:
    """Remove a last line without its end, as a killed writer leaves it; return the bytes removed.

    The rest is synced, whoever wrote it.
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
    """Open a JSONL file for appending: a partial last line is removed, and the end synced.

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
