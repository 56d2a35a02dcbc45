"""Labelled pairs from a file, a folder or a pattern of files, whichever shape their rows have."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self, get_args

from ste_plugin.config.labelled import LabelledFile
from ste_plugin.errors import DataError
from ste_plugin.labelled.columns import check_columns, named_as_shapes_do, with_labels
from ste_plugin.labelled.lists import TAKEN
from ste_plugin.labelled.pair import ONE_TIE, LabelledPair
from ste_plugin.labelled.people import PeopleOfFile
from ste_plugin.labelled.row_files import file_rows
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.shapes import OWN_SHAPES, Shape, shape_of
from ste_plugin.labelled.sides import LeftOut
from ste_plugin.records import content_key

logger = logging.getLogger(__name__)

Lists = Literal["best_worst", "all"]
BadRows = Literal["refuse", "drop"]
LISTS: tuple[Lists, ...] = get_args(Lists)
BAD_ROWS: tuple[BadRows, ...] = get_args(BadRows)
LOCAL = "local"
"""What a file of labelled pairs is called in a folder, but for its ending."""
ONE_SUBSET = "all"
"""What the subset is called where a file names none."""
_REPEATED = "the same pair as a row before"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of a file are read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Column of a shape → the file's column."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the file writes for a label → A, B or tie."""
    lists: Lists = "best_worst"
    """Which pairs are made of a row that ranks several responses."""
    bad_rows: BadRows = "refuse"
    """What becomes of a row that is no pair. `drop` leaves it out and counts it."""

    @classmethod
    def of(cls, file: LabelledFile) -> Self:
        """Return how a config says that a file is read."""
        return cls(file.columns, file.labels, file.lists, file.bad_rows)


AS_IT_IS = Reading()


class Placed(NamedTuple):
    """A pair, and where it is."""

    where: str
    """file:line or file#index."""
    pair: LabelledPair


class Keep(Protocol):
    """What takes further columns of a row along with its pair."""

    @property
    def columns(self) -> Collection[str]:
        """Return those that are shown beside the prompt."""

    def __call__(self, pair: LabelledPair, row: Row) -> LabelledPair:
        """Return the pair with them. Raises: DataError for a row without."""


def read_labelled(
    path: Path, reading: Reading = AS_IT_IS, name: str = "", keep: Keep | None = None
) -> Iterator[LabelledPair]:
    """Yield the pairs of a file, a folder (`local.jsonl` in it) or a pattern of files, in order.

    `name` is what warnings call it, by default the file's. Each pair has an id and a subset: those
    of the file, else a hash of its texts and `all`. Ties have votes for neither, and pairs without
    a label none (`preferred` is false for both). What is left out is counted, and logged once all
    is read.
    Raises: DataError naming the row that is no pair, or where there is none at all; ConfigError for
    columns that mean nothing.
    """
    return (placed.pair for placed in read_placed(path, reading, name, keep))


def read_placed(
    path: Path, reading: Reading = AS_IT_IS, name: str = "", keep: Keep | None = None
) -> Iterator[Placed]:
    """Yield the same with the place of each."""
    check_columns(reading.columns)
    left = _Left(name or path.name)
    places: dict[str, str] = {}

    def rows() -> Iterator[Row]:
        return file_rows(path, LOCAL)

    people = PeopleOfFile(lambda: (named_as_shapes_do(row, reading.columns) for row in rows()))
    for where, found in _groups(rows(), reading, left, keep, people):
        for pair in found:
            own = bool(pair.id)
            pair = _named(pair)
            if pair.id in places:
                if not own:
                    left.reasons[_REPEATED] += 1
                    continue
                left.bad(_repeated(where, pair.id, places[pair.id]), reading)
                continue
            places[pair.id] = where
            left.look_at(pair)
            left.ties += pair.votes == ONE_TIE
            yield Placed(where, pair)
    left.tell(len(places))
    if not places:
        raise DataError(
            f"{path}: nothing to judge in it{left.told}; expected rows of labelled pairs. Fill it, "
            "or name another."
        )


def _groups(
    rows: Iterator[Row],
    reading: Reading,
    left: "_Left",
    keep: Keep | None,
    people: PeopleOfFile,
) -> Iterator[tuple[str, Sequence[LabelledPair]]]:
    """Yield where the rows are that belong together, and their pairs; what is none is counted.

    Raises: DataError for a row that is no pair, unless such rows are dropped.
    """
    before: Shape | None = None
    shown = frozenset(keep.columns if keep else ())
    for row in rows:
        try:
            row = replace(row, shown=shown)
            row = with_labels(named_as_shapes_do(row, reading.columns), reading.labels)
            shape = shape_of(row, before, reading.columns)
            group = [row]
            if shape.rows > 1 and (following := next(rows, None)):
                named = named_as_shapes_do(following, reading.columns)
                if named.columns.get("prompt") == row.columns["prompt"]:
                    group.append(named)
                else:
                    rows = chain([following], rows)
            found = list(shape.read(group, TAKEN[reading.lists]))
            pairs = [each for each in found if isinstance(each, LabelledPair)]
            if shape in OWN_SHAPES:
                pairs = [people.heed(pair, row) for pair in pairs]
            pairs = [keep(pair, row) for pair in pairs] if keep else pairs
        except DataError as error:
            left.bad(error, reading)
            continue
        before = shape
        left.reasons.update(each.reason for each in found if isinstance(each, LeftOut))
        yield row.where, pairs


def _named(pair: LabelledPair) -> LabelledPair:
    """Return a pair with an id and a subset."""
    key = pair.id or content_key("labelled", pair.prompt, pair.chosen, pair.rejected)
    return replace(pair, id=key, subset=pair.subset or ONE_SUBSET)


def _repeated(where: str, key: str, before: str) -> DataError:
    return DataError(
        f"{where}: id {key!r} was already at {before}. Give every row an id of its own."
    )


@dataclass(slots=True)
class _Left:
    """What of a file is no pair, counted."""

    name: str
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    """Of bad rows that are dropped."""
    ties: int = 0
    repeating: int = 0
    """Pairs whose answers both begin with the prompt."""
    ways: dict[str, str] = field(default_factory=dict)
    """Both answers of a prompt in any order → the one that is preferred, as keys."""
    both_ways: int = 0

    def look_at(self, pair: LabelledPair) -> None:
        """Count what is odd in a pair that is judged all the same."""
        asked = pair.prompt.strip()
        answers = (pair.chosen.strip(), pair.rejected.strip())
        self.repeating += all(len(a) > len(asked) and a.startswith(asked) for a in answers)
        if pair.preferred:
            better = content_key(answers[0])
            before = self.ways.setdefault(content_key(asked, sorted(answers)), better)
            self.both_ways += before != better

    def bad(self, error: DataError, reading: Reading) -> None:
        """Count a bad row. Raises: the error, unless such rows are dropped."""
        if reading.bad_rows != "drop":
            raise error
        self.problems.append(str(error))

    @property
    def told(self) -> str:
        """Return what was left out, in brackets; nothing without any."""
        parts = [f"{count} {reason}" for reason, count in self.reasons.items()]
        if self.problems:
            parts.append(f"{len(self.problems)} bad rows, the first since {self.problems[0]}")
        return f" (left out: {', '.join(parts)})" if parts else ""

    def tell(self, pairs: int) -> None:
        """Log what was left out, and how many pairs are ties."""
        if self.told:
            logger.warning("%s: %d pairs read%s", self.name, pairs, self.told)
        if self.both_ways:
            logger.warning(
                "%s: %d pairs are labelled both ways, the one answer and the other preferred; no "
                "judge can be right on both rows",
                self.name,
                self.both_ways,
            )
        if self.repeating:
            logger.warning(
                "%s: both answers of %d pairs begin with their prompt, which the judge is shown "
                "once more in each; cut it off where it is no part of the answer",
                self.name,
                self.repeating,
            )
        if self.ties:
            logger.warning(
                "%s: %d of %d pairs are ties, on which no judge is right or wrong",
                self.name,
                self.ties,
                pairs,
            )
