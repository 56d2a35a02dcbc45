"""Two judges on the same pairs: which of them is right, pair by pair."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.queries import PAGE
from ste_plugin.view.schema import NO_LABEL, NOT_ASKED, OUTCOMES, RIGHT
from ste_plugin.view.sources import spoken_by
from ste_plugin.view.words import words_path

ONLY_FIRST, ONLY_SECOND, BOTH, NEITHER = "only-first", "only-second", "both", "neither"
KINDS = (ONLY_FIRST, ONLY_SECOND, BOTH, NEITHER)
"""Which of two judges is right, in the order of the keys 1 to 4."""


class Side(NamedTuple):
    """One judge on one set of pairs, in one of the folders that are looked at."""

    folder: IndexedFolder
    source: int
    judge: str
    on: str
    path: str
    """Of the folder that its file is in, below the one that is looked at."""
    sampled: bool


class Twice(NamedTuple):
    """One pair that both judges were asked about."""

    first: int
    """The number of the first judge's item."""
    second: int
    key: str
    pair: int
    """In the first judge's folder."""
    subset: str
    first_outcome: str
    second_outcome: str

    @property
    def kind(self) -> str:
        """Return which of the two is right."""
        return _kind(self.first_outcome == OUTCOMES[RIGHT], self.second_outcome == OUTCOMES[RIGHT])


def _kind(first: bool, second: bool) -> str:
    if first:
        return BOTH if second else ONLY_FIRST
    return ONLY_SECOND if second else NEITHER


_RIGHT = {
    ONLY_FIRST: f"a.outcome = {RIGHT} AND b.outcome != {RIGHT}",
    ONLY_SECOND: f"a.outcome != {RIGHT} AND b.outcome = {RIGHT}",
    BOTH: f"a.outcome = {RIGHT} AND b.outcome = {RIGHT}",
    NEITHER: f"a.outcome != {RIGHT} AND b.outcome != {RIGHT}",
}
_JOINED = (
    "FROM item AS a JOIN pair ON pair.id = a.pair JOIN subset ON subset.id = a.subset"
    " JOIN other.pair AS twin ON twin.key = pair.key"
    " JOIN other.item AS b ON b.pair = twin.id AND b.source = :second"
    f" WHERE a.source = :first AND a.outcome NOT IN ({NO_LABEL}, {NOT_ASKED})"
    f" AND b.outcome NOT IN ({NO_LABEL}, {NOT_ASKED})"
)


@contextmanager
def connect(first: Side, second: Side) -> Iterator[sqlite3.Connection]:
    """Open the first judge's index, with the second's beside it as `other` and `other_words`."""
    with first.folder.connect() as db:
        path = second.folder.index.path.resolve().as_uri()
        db.execute("ATTACH ? AS other", (f"{path}?mode=ro&immutable=1",))
        if second.folder.has_words():
            words = words_path(second.folder.index).resolve().as_uri()
            db.execute("ATTACH ? AS other_words", (f"{words}?mode=ro&immutable=1",))
        yield db


_HAS_WORDS = (
    " AND (a.id IN (SELECT rowid FROM words.said WHERE said MATCH :words)"
    " OR a.pair IN (SELECT rowid FROM words.asked WHERE asked MATCH :words)"
    " OR b.id IN (SELECT rowid FROM other_words.said WHERE said MATCH :words))"
)
"""In the question or an answer, or in what either judge said."""


def can_search(first: Side, second: Side) -> bool:
    """Return whether the words of both can be searched by now."""
    return first.folder.has_words() and second.folder.has_words()


def tally(db: sqlite3.Connection, first: Side, second: Side, words: str = "") -> dict[str, int]:
    """Return kind → how many pairs are of it, among those that have the words."""
    sums = ", ".join(f"coalesce(sum({_RIGHT[kind]}), 0)" for kind in KINDS)
    narrowed = _HAS_WORDS if words else ""
    values = _values(first, second) | {"words": words}
    row = db.execute(f"SELECT {sums} {_JOINED}{narrowed}", values).fetchone()
    return dict(zip(KINDS, row, strict=True))


def pairs(
    db: sqlite3.Connection,
    sides: tuple[Side, Side],
    kind: str = "",
    words: str = "",
    *,
    after: int = 0,
    before: int = 0,
    limit: int = PAGE,
) -> list[Twice]:
    """Return the pairs of a kind that have the words: those behind the first judge's item `after`,
    or the last before one."""
    edge, order = ("a.id < :edge", "DESC") if before else ("a.id > :edge", "ASC")
    narrowed = f" AND {_RIGHT[kind]}" if kind in _RIGHT else ""
    narrowed += _HAS_WORDS if words else ""
    rows = db.execute(
        f"SELECT a.id, b.id, pair.key, pair.id, subset.name, a.outcome, b.outcome {_JOINED}"
        f" AND {edge}{narrowed} ORDER BY a.id {order} LIMIT {limit}",
        _values(*sides) | {"edge": before or after, "words": words},
    ).fetchall()
    found = [_twice(row) for row in rows]
    return found[::-1] if before else found


def _twice(row: Sequence[Any]) -> Twice:
    first, second, key, pair, subset, first_outcome, second_outcome = row
    outcomes = OUTCOMES[first_outcome], OUTCOMES[second_outcome]
    return Twice(first, second, key, pair, subset, *outcomes)


def find(db: sqlite3.Connection, sides: tuple[Side, Side], key: str) -> Twice | None:
    """Return the pair of a key, where both judges were asked about it."""
    row = db.execute(
        f"SELECT a.id, b.id, pair.key, pair.id, subset.name, a.outcome, b.outcome {_JOINED}"
        " AND pair.key = :key",
        _values(*sides) | {"key": key},
    ).fetchone()
    return _twice(row) if row else None


def _values(first: Side, second: Side) -> dict[str, int | str]:
    return {"first": first.source, "second": second.source}


def sides_of(folders: dict[str, IndexedFolder]) -> Iterator[tuple[str, Side]]:
    """Yield (name, judge on pairs) of all folders: `iter-01`, `iter-00 for iter-01` of what was
    sampled, or `OTHER:iter-01`."""
    for prefix, folder in folders.items():
        with folder.connect() as db:
            rows = db.execute(
                "SELECT source.id, judge, on_pairs, file.path, sampled FROM source"
                " JOIN file ON file.id = source.file ORDER BY sampled, round, judge, on_pairs"
            ).fetchall()
        for number, judge, on, path, sampled in rows:
            said_by = spoken_by(folder.root, judge, sampled=bool(sampled))
            name = f"{prefix}:{said_by}" if prefix else said_by
            yield name, Side(folder, number, judge, on, path.rpartition("/")[0], bool(sampled))
