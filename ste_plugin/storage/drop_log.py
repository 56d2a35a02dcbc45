"""The file of everything that a stage drops: written one by one, and counted by reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from ste_plugin.records import Drop, Record
from ste_plugin.storage.durable import make_folder, open_temporary
from ste_plugin.storage.jsonl import encode_record, open_record_writer, parse_record

R = TypeVar("R", bound=Record)

OnDrop = Callable[[Drop], object]


def without_drops(items: Iterable[R | Drop], drop: OnDrop) -> Iterator[R]:
    """Yield the items that are no drops; `drop` gets the others."""
    for item in items:
        if isinstance(item, Drop):
            drop(item)
        else:
            yield item


def count_reasons(drops: Iterable[Drop]) -> Counter[str]:
    """Return `STAGE: REASON` → how many drops."""
    return Counter(f"{drop.stage}: {drop.reason}" for drop in drops)


def list_commonest(reasons: Counter[str]) -> str:
    """Return the five commonest reasons, a line each."""
    return "\n".join(f"  {n} x {reason}" for reason, n in reasons.most_common(5))


class DropLog:
    """Writes drops as they come, and counts their reasons; no drop is held."""

    def __init__(self, write: Callable[[Record], object]) -> None:
        """`write` writes one drop."""
        self._write = write
        self.reasons: Counter[str] = Counter()
        """`STAGE: REASON` → how many."""

    def add(self, drops: Iterable[Drop]) -> None:
        """Write these drops, in their order."""
        for drop in drops:
            self.drop(drop)

    def drop(self, drop: Drop) -> None:
        """Write one drop."""
        self._write(drop)
        self.reasons[f"{drop.stage}: {drop.reason}"] += 1

    def commonest(self) -> str:
        """Return the five commonest reasons, a line each."""
        return list_commonest(self.reasons)


@contextmanager
def open_drop_log(path: Path) -> Iterator[DropLog]:
    """Open a file of drops that replaces `path` at the end of the block.

    Raises: DataError where the disk is full or cannot be written.
    """
    with open_record_writer(path) as write:
        yield DropLog(write)


class HeldRecords(Generic[R]):
    """Records that are written elsewhere later, held in a file without a name."""

    def __init__(self, file: BinaryIO, kind: type[R]) -> None:
        self._file, self._kind = file, kind

    def add(self, records: Iterable[R]) -> None:
        """Hold these records."""
        self._file.writelines(map(encode_record, records))

    def __iter__(self) -> Iterator[R]:
        """Yield them all, in the order in which they came."""
        self._file.seek(0)
        return (parse_record(self._kind, Path("held"), 0, line) for line in self._file)


@contextmanager
def hold_records(folder: Path, kind: type[R]) -> Iterator[HeldRecords[R]]:
    """Hold records on the disk of a folder until the end of the block.

    Raises: DataError where the disk is full or cannot be written.
    """
    make_folder(folder)
    with open_temporary(folder) as file:
        yield HeldRecords(file, kind)
