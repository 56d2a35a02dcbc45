"""Text files as they are read: plain or packed, which their first bytes tell; broken ones named."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.text.file_type import HEAD_BYTES, explain_file_type, quote_start

NEEDS_EXTRA = "Install it: pip install 'ste-plugin[data]'"
BOM = b"\xef\xbb\xbf"
PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
"""Ending of the name of a packed file → how it is packed."""
_BLOCK = 1 << 17
"""Bytes that are unpacked at once."""
_STARTS = {
    "gzip": rb"\x1f\x8b",
    "zstd": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
    "bzip2": rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\x00",
}
"""How a file is packed → its first bytes, as a regular expression."""


def _open_zstd(path: Path) -> BinaryIO:
    # pyarrow tells a frame that is cut off from one that is whole; `zstandard` ends without a word.
    try:
        import pyarrow
    except ImportError as error:
        raise ConfigError(f"{path}: zstd needs pyarrow ({error}). {NEEDS_EXTRA}") from error
    stream = pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")
    return io.BufferedReader(stream, _BLOCK)


class _Parts(io.RawIOBase):
    """What a file of packed parts holds.

    `bz2.open` and `lzma.open` take a part that is damaged where it begins for the end of the file.
    """

    def __init__(self, path: Path, new: Callable[[], Any]) -> None:
        """`new` makes what unpacks one part."""
        self._file, self._new, self._part = path.open("rb"), new, new()

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        unpacked = b""
        while not unpacked:
            packed = b""
            if self._part.eof:
                if not (packed := self._part.unused_data or self._file.read(_BLOCK)):
                    return 0
                self._part = self._new()
            elif self._part.needs_input and not (packed := self._file.read(_BLOCK)):
                raise EOFError("a part has no end")
            unpacked = self._part.decompress(packed, len(buffer))
        buffer[: len(unpacked)] = unpacked
        return len(unpacked)


_OPENERS: dict[str, Callable[[Path], Any]] = {
    "": lambda path: path.open("rb"),
    "gzip": gzip.open,
    "bzip2": lambda path: io.BufferedReader(_Parts(path, bz2.BZ2Decompressor), _BLOCK),
    "xz": lambda path: io.BufferedReader(_Parts(path, lzma.LZMADecompressor), _BLOCK),
    "zstd": _open_zstd,
}


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading what it holds, unpacked; several packed parts in a row are one.

    Raises: DataError where the name says that it is packed and it is not; OSError.
    """
    with path.open("rb") as plain:
        head = plain.read(HEAD_BYTES)
    packing = next((name for name, start in _STARTS.items() if re.match(start, head)), "")
    expected = PACKED.get(path.suffix.lower(), "")
    if expected and not packing:
        found = f"found {quote_start(head)}. Rename the file" if head else "found an empty file"
        raise DataError(
            f"{path}: cannot be unpacked: expected {expected}, as its name says, "
            f"{explain_file_type(head) or f'{found}, or fetch it again.'}"
        )
    file: BinaryIO = _OPENERS[packing](path)
    return file


def require_text(path: Path) -> None:
    """Raise DataError for a file that does not begin as text does, or not as its name says."""
    with wrap_read_errors(path), open_unpacked(path) as file:
        if problem := explain_file_type(file.read(HEAD_BYTES)):
            raise DataError(f"{path}: expected text in UTF-8, {problem}")


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number, from 1, and bytes of every line but empty ones; a byte-order mark is left out.

    Raises: DataError naming the line from which on the file cannot be read.
    """
    require_text(path)
    number = 0
    with wrap_read_errors(path, lambda: number + 1), open_unpacked(path) as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(BOM) if number == 1 else line
            if text.strip():
                yield number, text


@contextmanager
def wrap_read_errors(path: Path, line: Callable[[], int] = lambda: 1) -> Iterator[None]:
    """Turn an error of the file system, or of what unpacks, into a DataError.

    `line` returns the number of the line that is being read.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
        raise DataError(
            f"{path}: cannot be unpacked from line {line()} on: it is cut off or damaged "
            f"({error}). Fetch or write the file again."
        ) from error
