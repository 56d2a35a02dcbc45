"""Sequences that hold where their items are, instead of the items."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar, overload

from ste_plugin.errors import DataError
from ste_plugin.records import Record
from ste_plugin.storage.jsonl import encode_record, open_replacement, parse_record
from ste_plugin.storage.line_reader import LineReader

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class LazySequence(Sequence[T]):
    """A sequence that makes its items when they are asked for."""

    def read(self, index: int) -> T:
        """Return the item at an index from 0."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        """Return an item, or a list of items."""
        if isinstance(index, slice):
            return [self.read(n) for n in range(*index.indices(len(self)))]
        count = len(self)
        return self.read(index if 0 <= index < count else range(count)[index])

    def __iter__(self) -> Iterator[T]:
        return self.read_each(range(len(self)))

    def read_each(self, indices: Iterable[int]) -> Iterator[T]:
        """Yield the items at these indices: the quickest way to many, if they are ascending."""
        return map(self.read, indices)


class RecordSequence(LazySequence[R], Generic[R]):
    """Some of the records in a file, in its order; only their byte offsets are held."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        """Create a sequence without records; `add` adds them."""
        self.path, self._kind = path, kind
        self._starts = array("q")
        self._lines = LineReader(path)
        self._last: tuple[int, R] | None = None

    def add(self, start: int) -> None:
        """Add the record whose line starts at this byte offset of the file."""
        self._starts.append(start)

    def __len__(self) -> int:
        return len(self._starts)

    def read(self, index: int) -> R:
        """Return the record at an index from 0. Raises: DataError where the file was changed."""
        start, last = self._starts[index], self._last
        if last is None or last[0] != start:  # a record is often read twice in a row
            last = self._last = start, self._parse(self._lines.read(start))
        return last[1]

    def read_each(self, indices: Iterable[int]) -> Iterator[R]:
        """Yield the records at these indices. Raises: DataError, as `read`."""
        end = 0
        with self.path.open("rb") as file:
            for start in map(self._starts.__getitem__, indices):
                if start != end:
                    file.seek(start)
                line = file.readline()
                end = start + len(line)
                yield self._parse(line)

    def _parse(self, line: bytes) -> R:
        try:
            return parse_record(self._kind, self.path, 0, line)
        except DataError as error:
            raise DataError(
                f"{self.path}: changed while it was read. Run the same command again."
            ) from error


class Subset(LazySequence[T], Generic[T]):
    """Some items of another sequence, in the order of their positions there."""

    def __init__(self, items: Sequence[T], positions: Iterable[int]) -> None:
        self._items, self._positions = items, array("q", positions)

    def __len__(self) -> int:
        return len(self._positions)

    def position(self, index: int) -> int:
        """Return where the item at an index is in the other sequence."""
        return self._positions[index]

    def read(self, index: int) -> T:
        """Return the item at an index from 0."""
        return self._items[self._positions[index]]

    def read_each(self, indices: Iterable[int]) -> Iterator[T]:
        """Yield the items at these indices."""
        positions = map(self._positions.__getitem__, indices)
        if isinstance(self._items, LazySequence):
            return self._items.read_each(positions)
        return map(self._items.__getitem__, positions)


def write_records(path: Path, kind: type[R], records: Iterable[R]) -> RecordSequence[R]:
    """Replace a derived file by records as they come, holding none; return them.

    Raises: DataError where the disk is full or cannot be written; then the file is as before.
    """
    written = RecordSequence(path, kind)
    position = 0
    with open_replacement(path) as file:
        for record in records:
            line = encode_record(record)
            file.write(line)
            written.add(position)
            position += len(line)
    return written
