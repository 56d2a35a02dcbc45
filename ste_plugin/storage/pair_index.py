"""The pairs of a run, read back from their file as they are needed, never held in memory."""

import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from ste_plugin.errors import DataError
from ste_plugin.records import ResponsePair
from ste_plugin.storage.jsonl import parse_record


class PairIndex(Sequence[ResponsePair]):
    """Some of the pairs in a file, in its order; only their places are held."""

    def __init__(self, path: Path) -> None:
        """Begin without any pair; `add` tells where they are."""
        self.path = path
        self._starts, self._ends = array("q"), array("q")
        self._file: int | None = None
        self._last: tuple[int, ResponsePair] | None = None

    def add(self, start: int, end: int) -> None:
        """Count the pair between these bytes of the file among its pairs."""
        self._starts.append(start)
        self._ends.append(end)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> ResponsePair: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[ResponsePair]: ...
    def __getitem__(self, at: int | slice) -> ResponsePair | Sequence[ResponsePair]:
        """Return a pair, or a list of some. Raises: DataError where the file was changed meanwhile."""
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        start, last = self._starts[at], self._last
        if last is None or last[0] != start:  # a pair is asked for twice in a row, once an order
            last = self._last = start, self._read(start, self._ends[at])
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
