"""The index's tables, what their small numbers stand for, and how its files are made."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

VERSION = 2
"""Of the tables: an index of another one is made again."""

RIGHT, FLIPS, WRONG, NO_VERDICT, NO_LABEL, NOT_ASKED = range(6)
"""`item.outcome`: every order shown is right; one is right and one wrong; every one is wrong; one
has no single verdict; nobody said which answer is better; the prompt was too long to be asked."""

OUTCOMES = ("right", "flips", "wrong", "none", "unlabelled", "too-long")
"""The same, as addresses have it."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE file (
  id INTEGER PRIMARY KEY, path TEXT UNIQUE, size INTEGER, mtime INTEGER, inode INTEGER,
  unreadable INTEGER, first_unreadable INTEGER
);
CREATE TABLE source (
  id INTEGER PRIMARY KEY, judge TEXT, round INTEGER, on_pairs TEXT, sampled INTEGER,
  file INTEGER, samples INTEGER, UNIQUE (judge, on_pairs)
);
CREATE TABLE subset (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE pair (
  id INTEGER PRIMARY KEY, key TEXT, place TEXT, subset INTEGER, held_out INTEGER DEFAULT 0,
  start INTEGER, UNIQUE (key, place)
);
CREATE TABLE item (
  id INTEGER PRIMARY KEY, source INTEGER, pair INTEGER, subset INTEGER, outcome INTEGER,
  a INTEGER, b INTEGER, forced INTEGER, mixed INTEGER, people INTEGER, changed INTEGER,
  drawn INTEGER, correct INTEGER, start INTEGER, sample INTEGER
);
CREATE TABLE span (
  item INTEGER, start INTEGER, size INTEGER, PRIMARY KEY (item, start)
) WITHOUT ROWID;
CREATE TABLE cube (
  source INTEGER, subset INTEGER, outcome INTEGER, forced INTEGER, mixed INTEGER, people INTEGER,
  changed INTEGER, n INTEGER
);
"""
"""`pair.place` is empty for pairs of the run's pool, else the task whose id it is. `item.a`, `b`:
by the letter of the better answer, 1 where it was preferred, -1 where the other was, 0 for neither,
null where that order was not shown. `item.people`: what people prefer, likewise; null where nobody
was asked. `changed`: 1 where the same judge's round before did not get it right, -1 where only that
did, 0 where neither changed, null where there is none. `start`, `size`, `sample`: places in bytes,
in judged.jsonl and lm-eval's samples for what was measured, and in `span` for what was sampled.
`cube`: how many items there are of each kind, so that counts need no look at all of them."""

ITEM_OF_PAIR = "CREATE UNIQUE INDEX IF NOT EXISTS item_of_pair ON item (pair, source)"
"""Made once the first items are there, which is quicker."""

_READING = "PRAGMA cache_size = -16000; PRAGMA temp_store = FILE; PRAGMA query_only = ON;"
_WRITING = (
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -48000; "
    "PRAGMA temp_store = FILE;"
)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that takes no lock: a finished index is replaced, never changed."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    connection.executescript(_READING)
    return connection


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection to a file of nobody else's, which is of use only once it is whole."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(_WRITING)
    return connection


@contextmanager
def beside(path: Path, *, copied: bool) -> Iterator[Path]:
    """Yield where another file is made in place of this one, out of it where `copied`.

    It is removed afterwards, unless it was renamed to its place.
    """
    new = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        if copied:
            shutil.copyfile(path, new)
        yield new
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def write_meta(db: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Write what an index says of itself."""
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
