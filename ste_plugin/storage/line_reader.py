"""Lines of a file by where they start: most are read in order, by several readers in turn."""

import os
from collections.abc import Sequence
from pathlib import Path

_BLOCK = 1 << 13
_READERS = 8
"""How many places of the file are read ahead of: stages read a few parts of one file in turn."""
_FILE_BYTES = 1 << 42
"""More than any file has."""


class LineReader:
    """Reads single lines of a file, opened at the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._blocks: list[tuple[int, bytes]] = []  # (byte offset, content), last used first

    def read(self, start: int) -> bytes:
        """Return the line at a byte offset, with its end if it has one; empty behind the last."""
        for number, (offset, block) in enumerate(self._blocks):
            if offset <= start:
                end = block.find(b"\n", start - offset) + 1
                if end and start - offset < len(block):
                    if number:
                        self._blocks.insert(0, self._blocks.pop(number))
                    return block[start - offset : end]
        return self._read_block(start)

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        self._blocks.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read_block(self, start: int) -> bytes:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDONLY)
        size, block = _BLOCK, os.pread(self._file, _BLOCK, start)
        while not (end := block.find(b"\n") + 1):
            size, before = 2 * size, len(block)
            block = os.pread(self._file, size, start)
            if len(block) == before:  # the file's last line has no end
                return block
        self._blocks[_READERS - 1 :] = ()
        self._blocks.insert(0, (start, block))
        return block[:end]

    def __del__(self) -> None:
        self.close()


class LineReaders:
    """Reads single lines of several files, each found by one number: of its file, and in it."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._readers: dict[int, LineReader] = {}

    @staticmethod
    def place(file: int, start: int) -> int:
        """Return the number of a line: `file` is the index of its path, `start` its byte offset."""
        return file * _FILE_BYTES + start

    def read(self, place: int) -> tuple[Path, bytes]:
        """Return a line, as `LineReader`, and its file."""
        file, start = divmod(place, _FILE_BYTES)
        if file not in self._readers:
            self._readers[file] = LineReader(self._paths[file])
        return self._paths[file], self._readers[file].read(start)

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
