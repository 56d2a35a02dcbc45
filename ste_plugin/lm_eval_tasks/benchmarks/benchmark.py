"""What a benchmark is: where its rows are, which columns they have, and what they become."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

from ste_plugin.errors import DataError
from ste_plugin.labelled.published_files import Published, find_files, of_split
from ste_plugin.labelled.row_files import file_rows, hub_rows
from ste_plugin.labelled.rows import Row
from ste_plugin.lm_eval_tasks.pairs_file import D, convert_all

logger = logging.getLogger(__name__)


def as_it_is(row: Row) -> Row:
    """Return the row."""
    return row


def singly(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    """Yield every row by itself."""
    return ([row] for row in rows)


@dataclass(frozen=True, slots=True)
class Benchmark(Generic[D]):
    """A public data set of preferences, `D` being what is judged."""

    name: str
    """What `judge_benchmark` and local files are called."""
    hub: str
    splits: tuple[str, ...]
    """Of the data set on the hub, all of which are read."""
    columns: tuple[str, ...]
    """That every row must have; others are never shown to a judge."""
    convert: Callable[[Sequence[Row]], list[D]]
    """From a group of rows to what is judged; ties may become nothing."""
    groups: Callable[[Iterable[Row]], Iterable[Sequence[Row]]] = singly
    rows: int = 0
    """How many the published data set has; 0: not known."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many rows of it each part has; empty where that is not known."""
    counted_as: Callable[[Row], str] = lambda row: row.part
    """Which of these parts a row is of."""
    complete: Callable[[Row], Row] = as_it_is
    """Adds to a row what only the name of its file says."""
    files: Sequence[Mapping[str, str]] = ()
    """As in `Published.splits`, where files are called otherwise than the hub's splits."""
    others: tuple[str, ...] = ()
    """As in `Published.others`."""
    sections: tuple[str, ...] = ()
    """Whose plain mean is the final score; empty where there is none."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """JSON files by split, where the hub has no data set that can be read."""

    def read(
        self, data: Path | None, convert: Callable[[Sequence[Row]], list[D]] | None = None
    ) -> list[D]:
        """Return all there is to judge, from a file or folder, or from the hub.

        `convert` takes the place of the benchmark's own.
        Rows of a public data set without anything to judge are left out and logged; in a file of
        one's own, they are errors.
        Raises: DataError naming the row, or the file that would do where the hub cannot be reached.
        """
        rows = self._checked(
            file_rows(data, self.name, self.published) if data else self._from_hub()
        )
        self._tell_other_counts(rows)
        documents, dropped = convert_all(self.groups(rows), convert or self.convert)
        if dropped:
            logger.warning(
                "%s: %d rows left out, the first since %s", self.name, len(dropped), dropped[0]
            )
        if not documents:
            why = (
                f" ({len(dropped)} rows left out, the first since {dropped[0]})" if dropped else ""
            )
            raise DataError(
                f"{data or self.hub}: nothing to judge in it{why}; expected rows of {self.name}. "
                "Fill it, or name another."
            )
        return documents

    def _tell_other_counts(self, rows: Sequence[Row]) -> None:
        """Log where there are more or fewer rows than published, and of which part."""
        found = Counter(map(self.counted_as, rows)) if self.counts else Counter()
        parts = {**self.counts, **found}
        other = [name for name in parts if found[name] != self.counts.get(name, 0)]
        if other or (self.rows and len(rows) != self.rows):
            told = [f"{name} {found[name]} of {self.counts.get(name, 0)}" for name in other]
            logger.warning(
                "%s: %d rows; the published data set has %d, so figures do not compare with "
                "published ones.%s",
                self.name,
                len(rows),
                self.rows,
                f" Other counts: {', '.join(told)}." if told else "",
            )

    @property
    def published(self) -> Published | None:
        """Return how its files are called; None for a file of one's own."""
        if not self.hub:
            return None
        splits = self.files or [{split: of_split(split) for split in self.splits}]
        return Published(self.hub.rpartition("/")[2], tuple(splits), self.others)

    def paths(self, data: Path | None) -> list[Path]:
        """Return the files that `read` reads; none where it asks the hub."""
        return [p for p, _ in find_files(data, self.name, self.published).files] if data else []

    @property
    def instead(self) -> str:
        """Return which file serves in place of the hub."""
        return (
            f"Offline, put its rows into a file {self.name}.jsonl (or .json, .csv, .parquet) with "
            f"the columns {', '.join(self.columns)}, and set STE_JUDGE_DATA to it or to its folder "
            "(from lm-eval 0.4.13 on also --metadata judge_data=...)."
        )

    def _from_hub(self) -> Iterator[Row]:
        return hub_rows(self.hub, self.splits, self.urls, self.instead)

    def _checked(self, rows: Iterable[Row]) -> list[Row]:
        checked = []
        for row in map(self.complete, rows):
            row.require(self.columns)
            checked.append(row)
        return checked
