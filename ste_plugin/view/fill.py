"""Filling the index: one file of a run after the other, holding one line of it at a time."""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from ste_plugin.records import OTHER
from ste_plugin.review.majority import most_say
from ste_plugin.view.read_lines import (
    Advance,
    HeldOutLine,
    JudgedLine,
    JudgmentLine,
    Lines,
    PairLine,
    SampleLine,
)
from ste_plugin.view.schema import (
    FLIPS,
    ITEM_OF_PAIR,
    NO_LABEL,
    NO_VERDICT,
    NOT_ASKED,
    RIGHT,
    WRONG,
)
from ste_plugin.view.sources import Contents, FileState, Source

TRAIN, TRAIN_DEV = "train", "train-dev"
"""What the judgments that a data set was made of are called, by the split of their pairs."""

_TOLD = """
CREATE TEMP TABLE told (
  pair TEXT, gold TEXT, start INTEGER, size INTEGER, first INTEGER, sample INTEGER, drawn INTEGER,
  correct INTEGER, wrong INTEGER, forced INTEGER
)
"""
_LOGGED = "CREATE TEMP TABLE logged (id TEXT PRIMARY KEY, start INTEGER) WITHOUT ROWID"
_UNKNOWN_PAIRS = """
INSERT OR IGNORE INTO pair (key, place, subset)
SELECT DISTINCT told.pair, '', (SELECT id FROM subset WHERE name = '') FROM told
"""
_SAMPLED_ITEMS = f"""
INSERT INTO item
  (source, pair, subset, outcome, a, b, forced, mixed, drawn, correct, start)
SELECT CASE held_out WHEN 1 THEN :dev ELSE :train END, id, subset,
  CASE
    WHEN a = 1 AND b = 1 OR a = 1 AND b IS NULL OR b = 1 AND a IS NULL THEN {RIGHT}
    WHEN a = 0 OR b = 0 THEN {NO_VERDICT}
    WHEN a != b THEN {FLIPS}
    ELSE {WRONG}
  END, a, b, forced, mixed, drawn, correct, place
FROM (
  SELECT pair.id, pair.held_out, pair.subset, min(told.start) AS place,
    max(CASE WHEN gold = 'A' THEN first END) AS a, max(CASE WHEN gold = 'B' THEN first END) AS b,
    max(forced) AS forced,
    max(correct > 0 AND correct < drawn OR wrong > 0 AND wrong < drawn) AS mixed,
    sum(drawn) AS drawn, sum(correct) AS correct
  FROM told JOIN pair ON pair.key = told.pair AND pair.place = ''
  GROUP BY pair.id
) ORDER BY place
"""
_SPANS = """
INSERT OR REPLACE INTO span
SELECT item.id, told.start, told.size FROM told
JOIN pair ON pair.key = told.pair AND pair.place = ''
JOIN item ON item.pair = pair.id AND item.source IN (:train, :dev)
"""

_WITHOUT_ITEMS = (
    "DELETE FROM source WHERE id = ? AND NOT EXISTS (SELECT 1 FROM item WHERE source = ?)"
)


class Filler:
    """Adds what files hold to an index that is being made."""

    def __init__(self, db: sqlite3.Connection, root: Path, advance: Advance) -> None:
        self._db, self._root, self._advance = db, root, advance

    def add_pairs(self, contents: Contents) -> None:
        """Add the pairs of a run's pool, and which of them are held out of training rows."""
        self.subset("")
        if contents.pairs:
            lines = self._lines(contents.pairs, PairLine)
            subsets: dict[str, int] = {}
            self._db.executemany(
                "INSERT OR IGNORE INTO pair (key, place, subset, start) VALUES (?, '', ?, ?)",
                (
                    (row.key, subsets.get(row.strategy) or self.subset(row.strategy, subsets), at)
                    for row, at, _ in lines.read(self._advance)
                ),
            )
            self._keep(contents.pairs, lines)
        for state in contents.held_out:
            held = self._lines(state, HeldOutLine)
            self._db.executemany(
                "UPDATE pair SET held_out = 1 WHERE key = ? AND place = ''",
                ((row.id,) for row, _, _ in held.read(self._advance)),
            )
            self._keep(state, held)

    def add_source(self, source: Source) -> None:
        """Add all that a judge said, in one file."""
        if source.is_sampled:
            self._add_sampled(source)
        else:
            self._add_measured(source)

    def _add_sampled(self, source: Source) -> None:
        lines = self._lines(source.file, JudgmentLine)
        self._db.execute("DROP TABLE IF EXISTS temp.told")
        self._db.execute(_TOLD)
        self._db.executemany(
            "INSERT INTO told VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _runs_of_samples(lines.read(self._advance)),
        )
        file = self._keep(source.file, lines)
        ids = {
            "train": self._new_source(source, TRAIN, file),
            "dev": self._new_source(source, TRAIN_DEV, file),
        }
        self._db.execute(_UNKNOWN_PAIRS)
        self._db.execute(_SAMPLED_ITEMS, ids)
        self._db.execute(ITEM_OF_PAIR)
        self._db.execute(_SPANS, ids)
        self._db.execute("DROP TABLE temp.told")
        self._db.execute(_WITHOUT_ITEMS, (ids["dev"], ids["dev"]))

    def _add_measured(self, source: Source) -> None:
        samples = self._add_logged(source)
        lines = self._lines(source.file, JudgedLine)
        read = lines.read(self._advance)
        subsets: dict[str, int] = {}
        number = self._new_source(source, source.on, None, samples)
        for row, start, _ in read:
            name = row.subset or row.section
            subset = subsets.get(name) or self.subset(name, subsets)
            self._add_judged(row, (number, subset, start), source.on)
        file = self._keep(source.file, lines)
        self._db.execute("UPDATE source SET file = ? WHERE id = ?", (file, number))
        self._db.execute(ITEM_OF_PAIR)

    def _add_logged(self, source: Source) -> int | None:
        """Note where lm-eval logged what was said of each pair; return the file's number."""
        self._db.execute("DROP TABLE IF EXISTS temp.logged")
        self._db.execute(_LOGGED)
        if source.samples is None:
            return None
        lines = self._lines(source.samples, SampleLine)
        self._db.executemany(
            "INSERT OR REPLACE INTO logged VALUES (?, ?)",
            ((row.doc.id, start) for row, start, _ in lines.read(self._advance)),
        )
        return self._keep(source.samples, lines)

    def _add_judged(self, row: JudgedLine, at: tuple[int, int, int], on: str) -> None:
        source, subset, start = at
        a, b, forced = _outcomes(row)
        people = _people(row)
        pair = self._pair(row.id, subset, on)
        self._db.execute(
            "INSERT OR IGNORE INTO item (source, pair, subset, outcome, a, b, forced, mixed,"
            " people, drawn, start, sample)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT start FROM logged WHERE id = ?))",
            (
                *(source, pair, subset, _outcome(row, a, b), a, b, forced, _is_mixed(row), people),
                *(row.drawn, start, row.id),
            ),
        )

    def _pair(self, key: str, subset: int, on: str) -> int:
        """Return the number of a pair: of the pool where it is from there, else of its task."""
        find = "SELECT id FROM pair WHERE key = ? AND place = ?"
        for place in ("", on):
            if found := self._db.execute(find, (key, place)).fetchone():
                return int(found[0])
        added = self._db.execute(
            "INSERT INTO pair (key, place, subset) VALUES (?, ?, ?)", (key, on, subset)
        )
        return added.lastrowid or 0

    def subset(self, name: str, known: dict[str, int] | None = None) -> int:
        """Return the number of a strategy or subset, which `known` then holds, too."""
        self._db.execute("INSERT OR IGNORE INTO subset (name) VALUES (?)", (name,))
        row = self._db.execute("SELECT id FROM subset WHERE name = ?", (name,)).fetchone()
        if known is not None:
            known[name] = row[0]
        return int(row[0])

    def _lines(self, state: FileState, kind: type[Any]) -> Lines[Any]:
        return Lines(self._root / state.path, kind)

    def _new_source(
        self, source: Source, on: str, file: int | None, samples: int | None = None
    ) -> int:
        row = (source.judge, source.round, on, source.is_sampled, file, samples)
        added = self._db.execute(
            "INSERT INTO source (judge, round, on_pairs, sampled, file, samples)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        return added.lastrowid or 0

    def _keep(self, state: FileState, lines: Lines[Any]) -> int:
        """Note in which state a file was read; return its number."""
        row = (*state, lines.unreadable, lines.first_unreadable)
        self._db.execute(
            "INSERT OR REPLACE INTO file"
            " (path, size, mtime, inode, unreadable, first_unreadable) VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        found = self._db.execute("SELECT id FROM file WHERE path = ?", (state.path,)).fetchone()
        return int(found[0])


def _runs_of_samples(
    lines: Iterator[tuple[JudgmentLine, int, int]],
) -> Iterator[tuple[Any, ...]]:
    """Yield a row of `told` for each run of judgments of one pair in one order."""
    for (pair, gold), told in groupby(
        lines, key=lambda line: (line[0].pair_key, line[0].better_is)
    ):
        start = end = drawn = correct = wrong = forced = 0
        first = sample = -1
        for row, at, size in told:
            if not drawn:
                start = at
            end = at + size
            points = _points(row.verdict, gold)
            if not drawn or row.sample_index < sample:
                first, sample = points, row.sample_index
            drawn, correct, wrong = drawn + 1, correct + (points == 1), wrong + (points == -1)
            forced |= row.forced
        yield pair, gold, start, end - start, first, sample, drawn, correct, wrong, forced


def _points(verdict: str | None, gold: str) -> int:
    if verdict == gold:
        return 1
    return -1 if verdict in OTHER else 0


def _outcomes(row: JudgedLine) -> tuple[int | None, int | None, bool]:
    """Return how the orders ended that show the better answer as A and as B, and if by force."""
    if row.points is not None:
        return (1 if row.points == 1 else -1), None, False
    told = {"A": (row.verdict_a, row.forced_a), "B": (row.verdict_b, row.forced_b)}
    points = {g: _points(own or forced, g) for g, (own, forced) in told.items() if g in row.shown}
    by_force = any(told[g][0] is None and told[g][1] is not None for g in points)
    return points.get("A"), points.get("B"), by_force


def _outcome(row: JudgedLine, a: int | None, b: int | None) -> int:
    if not row.fits:
        return NOT_ASKED
    shown = {points for points in (a, b) if points is not None}
    if row.points is None and not (len(row.votes) > 1 and row.votes[0] > row.votes[1]):
        return NO_LABEL
    if 0 in shown or not shown:
        return NO_VERDICT
    if len(shown) == 2:
        return FLIPS
    return RIGHT if shown == {1} else WRONG


def _people(row: JudgedLine) -> int | None:
    """Return what several people preferred; of a single label nobody knows whose it is."""
    if sum(row.votes) < 2 or len(row.votes) < 2:
        return None
    return most_say(row.votes[0], row.votes[1], sum(row.votes[2:]))


def _is_mixed(row: JudgedLine) -> bool:
    return any(len(set(samples)) > 1 for samples in (row.samples_a, row.samples_b))
