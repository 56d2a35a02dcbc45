"""The pairs of a run, read from their file when they are needed instead of held in memory."""

import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from ste_plugin.errors import DataError
from ste_plugin.records import ResponsePair
from ste_plugin.storage.jsonl import parse_record


class PairIndex(Sequence[ResponsePair]):
    """Some of the pairs in a file, in its order; only their byte offsets are held."""

    def __init__(self, path: Path) -> None:
        """Create an index without pairs; `add` adds them."""
        self.path = path
        self._starts, self._ends = array("q"), array("q")
        self._file: int | None = None
        self._last: tuple[int, ResponsePair] | None = None

    def add(self, start: int, end: int) -> None:
        """Add the pair between these byte offsets of the file."""
        self._starts.append(start)
        self._ends.append(end)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> ResponsePair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ResponsePair]: ...
    def __getitem__(self, index: int | slice) -> ResponsePair | Sequence[ResponsePair]:
        """Return a pair, or a list of pairs.

        Raises: DataError where the file was changed meanwhile.
        """
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        start, last = self._starts[index], self._last
        if last is None or last[0] != start:  # a pair is read twice in a row, once per order
            last = self._last = start, self._read(start, self._ends[index])
        return last[1]

    def _read(self, start: int, end: int) -> ResponsePair:
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
        line = os.pread(self._file, end - start, start)
        try:
            return parse_record(ResponsePair, self.path, 0, line)
        except DataError as error:
            raise DataError(
                f"{self.path}: changed while it was read. Run the same command again."
            ) from error

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)
