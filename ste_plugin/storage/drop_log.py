"""The file of everything that a stage drops: written one by one, and counted by reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ste_plugin.records import Drop, Record
from ste_plugin.storage.jsonl import open_record_writer


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
