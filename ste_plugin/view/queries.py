"""What a list shows: filters as addresses have them, pages of items, counts of each filter."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

from ste_plugin.view.schema import NOT_ASKED, OUTCOMES
from ste_plugin.view.words import to_match

PAGE = 50
"""Items of one page of a list."""

PEOPLE = {"agree": "people agree", "disagree": "people disagree"}
CHANGES = {"gained": 1, "lost": -1, "same": 0}
DIMENSIONS = ("judge", "on", "subset", "outcome", "forced", "mixed", "people", "changed")
"""What a list can be narrowed by, beside words; each is a parameter of its address."""
_PREFERS = "CASE item.outcome WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END"
_EFFECTIVE = "coalesce(label.people, item.people)"
_LABELS = "LEFT JOIN people.label AS label ON label.pair = item.pair"
_MAX_COUNTED = 200_000
"""Matches of a search that are counted; a page of a list needs no more than its own."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; empty is everything."""

    judge: str = ""
    on: str = ""
    subset: str = ""
    outcome: str = ""
    forced: str = ""
    mixed: str = ""
    people: str = ""
    changed: str = ""
    q: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        """Return the filter of an address; what it does not know is left out."""
        names = (*DIMENSIONS, "q")
        return cls(**{name: parameters[name] for name in names if parameters.get(name)})

    def to_query(self, **more: object) -> str:
        """Return the parameters of an address: those that are set, and `more`."""
        own = {n: v for n in (*DIMENSIONS, "q") if (v := getattr(self, n))}
        return urlencode(own | {k: v for k, v in more.items() if v not in (None, "")})

    def but(self, **changes: str) -> Self:
        """Return the filter with some of it changed."""
        return replace(self, **changes)


class Item(NamedTuple):
    """One pair that one judge was asked about, as a list shows it."""

    id: int
    source: int
    pair: int
    judge: str
    on: str
    key: str
    subset: str
    outcome: str
    a: int | None
    b: int | None
    forced: int
    mixed: int
    people: int | None
    changed: int | None
    drawn: int
    correct: int | None
    start: int | None
    sample: int | None

    @property
    def is_sampled(self) -> bool:
        """Return whether it was sampled for a round of training, rather than measured."""
        return self.correct is not None

    def to_query(self, wanted: Filter) -> str:
        """Return the parameters of this item's page, within a filter's list."""
        own = urlencode({"of": self.judge, "set": self.on, "pair": self.key})
        rest = wanted.to_query()
        return f"{own}&{rest}" if rest else own


_COLUMNS = (
    "item.id, item.source, item.pair, source.judge, source.on_pairs, pair.key, subset.name,"
    f" item.outcome, item.a, item.b, item.forced, item.mixed, {_EFFECTIVE}, item.changed,"
    " item.drawn, item.correct, item.start, item.sample"
)
_FROM = (
    "FROM item JOIN source ON source.id = item.source JOIN pair ON pair.id = item.pair"
    f" JOIN subset ON subset.id = item.subset {_LABELS}"
)


class Narrowed(NamedTuple):
    """A filter as SQL."""

    where: str
    values: tuple[Any, ...]


def narrow(db: sqlite3.Connection, wanted: Filter) -> Narrowed:
    """Return a filter as a condition on `item`; names that are not there match nothing."""
    conditions: list[str] = []
    values: list[Any] = []
    sources = _sources(db, wanted)
    if sources is not None:
        conditions.append(f"item.source IN ({', '.join(map(str, sources))})")
    if wanted.subset:
        conditions.append("item.subset = (SELECT id FROM subset WHERE name = ?)")
        values.append(wanted.subset)
    if wanted.outcome:
        known = OUTCOMES.index(wanted.outcome) if wanted.outcome in OUTCOMES else -1
        conditions.append(f"item.outcome = {known}")
    for name in ("forced", "mixed"):
        if getattr(wanted, name):
            conditions.append(f"item.{name} = {int(getattr(wanted, name) == 'yes')}")
    if wanted.people:
        same = "=" if wanted.people == "agree" else "!="
        conditions.append(f"{_EFFECTIVE} {same} {_PREFERS} AND item.outcome != {NOT_ASKED}")
    if wanted.changed:
        conditions.append(f"item.changed = {CHANGES.get(wanted.changed, 9)}")
    if match := to_match(wanted.q):
        conditions.append(f"item.id IN ({_MATCHES})")
        values += [match, match]
    return Narrowed(" AND ".join(conditions) or "1", tuple(values))


_MATCHES = (
    "SELECT rowid FROM words.said WHERE said MATCH ? UNION ALL SELECT id FROM item WHERE pair IN"
    " (SELECT rowid FROM words.asked WHERE asked MATCH ?)"
)


def _sources(db: sqlite3.Connection, wanted: Filter) -> list[int] | None:
    if not (wanted.judge or wanted.on):
        return None
    rows = db.execute("SELECT id, judge, on_pairs FROM source")
    return [
        number
        for number, judge, on in rows
        if wanted.judge in ("", judge) and wanted.on in ("", on)
    ]


def items(
    db: sqlite3.Connection, wanted: Filter, *, after: int = 0, before: int = 0, limit: int = PAGE
) -> list[Item]:
    """Return the items of a list behind one, or the last ones before one, in the list's order."""
    where, values = narrow(db, wanted)
    backwards = before > 0
    edge, order = ("< ?", "DESC") if backwards else ("> ?", "ASC")
    # the plus keeps SQLite from other orders: a page ends as soon as it is full
    rows = db.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE item.id {edge} AND {where}"
        f" ORDER BY item.id {order} LIMIT {limit}",
        (before if backwards else after, *values),
    ).fetchall()
    return [_item(row) for row in (reversed(rows) if backwards else rows)]


def _item(row: Sequence[Any]) -> Item:
    item = Item(*row)
    return item._replace(outcome=OUTCOMES[row[7]])


def find_item(db: sqlite3.Connection, judge: str, on: str, key: str) -> Item | None:
    """Return the item that an address names."""
    row = db.execute(
        f"SELECT {_COLUMNS} {_FROM}"
        " WHERE source.judge = ? AND source.on_pairs = ? AND pair.key = ?",
        (judge, on, key),
    ).fetchone()
    return _item(row) if row else None


def spans_of(db: sqlite3.Connection, item: int) -> list[tuple[int, int]]:
    """Return where the sampled judgments of an item lie: places and sizes in bytes."""
    return db.execute("SELECT start, size FROM span WHERE item = ?", (item,)).fetchall()


def position(db: sqlite3.Connection, wanted: Filter, item: int) -> int:
    """Return which item of a list it is, from 1."""
    where, values = narrow(db, wanted)
    joined = _LABELS if wanted.people else ""
    query = f"SELECT count(*) FROM item {joined} WHERE item.id <= ? AND {where}"
    return int(db.execute(query, (item, *values)).fetchone()[0])


Counts = dict[str, dict[str, int]]
"""Dimension → value → how many items there would be if the list was narrowed to it."""


class Counted(NamedTuple):
    """How many items a list has."""

    total: int
    counts: Counts


def count(db: sqlite3.Connection, wanted: Filter) -> Counted:
    """Return the size of a list, and of each list that is one choice away."""
    names = {
        number: (judge, on)
        for number, judge, on in db.execute("SELECT id, judge, on_pairs FROM source")
    }
    subsets = dict(db.execute("SELECT id, name FROM subset"))
    cells = [(_values(names[row[0]], subsets[row[1]], row), row[7]) for row in _cube(db, wanted)]
    counts: Counts = {name: defaultdict(int) for name in DIMENSIONS}
    total = 0
    for cell, n in cells:
        misses = [name for name in DIMENSIONS if _misses(getattr(wanted, name), cell[name])]
        if not misses:
            total += n
        for name in DIMENSIONS if not misses else misses if len(misses) == 1 else ():
            if cell[name]:
                counts[name][cell[name]] += n
    return Counted(total, counts)


def _misses(wanted: str, found: str) -> bool:
    return bool(wanted) and wanted != found


def _values(source: tuple[str, str], subset: str, row: Sequence[Any]) -> dict[str, str]:
    _, _, outcome, forced, mixed, people, changed, _ = row
    prefers = {0: 1, 2: -1}.get(outcome, 0)
    people = None if outcome == NOT_ASKED else people
    change = {number: name for name, number in CHANGES.items()}
    return {
        "judge": source[0],
        "on": source[1],
        "subset": subset,
        "outcome": OUTCOMES[outcome],
        "forced": "yes" if forced else "no",
        "mixed": "yes" if mixed else "no",
        "people": "" if people is None else "agree" if people == prefers else "disagree",
        "changed": "" if changed is None else change[changed],
    }


def _cube(db: sqlite3.Connection, wanted: Filter) -> Iterable[Sequence[Any]]:
    """Return how many items there are of each kind, among those that have the words."""
    kinds = "item.source, item.subset, item.outcome, item.forced, item.mixed"
    if match := to_match(wanted.q):
        yield from db.execute(
            f"SELECT {kinds}, {_EFFECTIVE} AS people, item.changed, count(*) FROM item {_LABELS}"
            f" WHERE item.id IN ({_MATCHES}) GROUP BY 1, 2, 3, 4, 5, 6, 7",
            (match, match),
        )
        return
    yield from db.execute("SELECT * FROM cube")
    # a label of `ste review` counts in place of what the file of pairs says
    for people, n in (("item.people", -1), ("label.people", 1)):
        yield from db.execute(
            f"SELECT {kinds}, {people}, item.changed, {n}"
            " FROM people.label AS label JOIN item ON item.pair = label.pair"
        )
