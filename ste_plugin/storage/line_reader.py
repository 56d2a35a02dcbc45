"""Lines of files by where they start: most are read in order, by several readers in turn."""

import os
from pathlib import Path

_BLOCK = 1 << 13
_READERS = 8
"""How many places are read ahead of: stages read a few parts of one file in turn."""
_FILE_BYTES = 1 << 42
"""More than any file has."""


class LineReader:
    """Reads single lines of files, each found by one number: of its file, and in it."""

    def __init__(self, *paths: Path) -> None:
        """The files are opened at the first line that is read of them."""
        self._paths = paths
        self._files: dict[int, int] = {}
        self._blocks: list[tuple[int, bytes]] = []  # (place, content), last used first

    @staticmethod
    def place(file: int, start: int) -> int:
        """Return the number of a line: `file` is the index of its path, `start` its byte offset."""
        return file * _FILE_BYTES + start

    def path(self, place: int) -> Path:
        """Return the file of a line."""
        return self._paths[place // _FILE_BYTES]

    def read(self, place: int) -> bytes:
        """Return a line, with its end if it has one; empty behind the last of its file."""
        for number, (offset, block) in enumerate(self._blocks):
            at = place - offset
            if at >= 0 and (end := block.find(b"\n", at) + 1):
                if number:
                    self._blocks.insert(0, self._blocks.pop(number))
                return block[at:end]
        return self._read_block(place)

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        self._blocks.clear()
        while self._files:
            os.close(self._files.popitem()[1])

    def _read_block(self, place: int) -> bytes:
        number, start = divmod(place, _FILE_BYTES)
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = os.open(self._paths[number], os.O_RDONLY)
        size, block = _BLOCK, os.pread(file, _BLOCK, start)
        while not (end := block.find(b"\n") + 1):
            size, before = 2 * size, len(block)
            block = os.pread(file, size, start)
            if len(block) == before:  # the file's last line has no end
                return block
        self._blocks[_READERS - 1 :] = ()
        self._blocks.insert(0, (place, block))
        return block[:end]

    def __del__(self) -> None:
        self.close()
