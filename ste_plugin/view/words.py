"""Search in the words of pairs and judgments: an index of words without the texts themselves."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path

from ste_plugin.errors import SteError
from ste_plugin.view.index import Index, finish
from ste_plugin.view.schema import (
    VERSION,
    beside,
    open_for_reading,
    open_for_writing,
    write_meta,
)
from ste_plugin.view.texts import Texts

WORDS = "words.sqlite"
_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT)",
    "CREATE VIRTUAL TABLE IF NOT EXISTS said USING fts5(words, content='')",
    "CREATE VIRTUAL TABLE IF NOT EXISTS asked USING fts5(words, content='')",
)
_BATCH = 2000
_NO_SPACES = re.compile("([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
"""Characters of languages that put no spaces between words: each counts as one."""
_QUERY = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')

Progress = Callable[[float], object]


def words_path(index: Index) -> Path:
    """Return the file of the words of an index."""
    return index.place.folder / WORDS


def are_complete(index: Index) -> bool:
    """Return whether all words of an index are there to be searched."""
    return _known(index) == _last(index)


def add_words(index: Index, texts: Texts, progress: Progress, stop: Callable[[], bool]) -> None:
    """Make the index of words, or add what came; a killed process leaves the one that was there.

    Ends early, and leaves what was there, once `stop` says so.
    """
    path, last, known = words_path(index), _last(index), _known(index)
    if known == last:
        return
    with beside(path, copied=bool(known)) as new:
        with closing(open_for_writing(new)) as db, closing(index.open()) as items:
            db.execute("BEGIN")
            for statement in _TABLES:
                db.execute(statement)
            if not _add(db, items, known or (0, 0), last, (texts, progress, stop)):
                return
            meta = {
                "lineage": index.lineage,
                "version": str(VERSION),
                "items": str(last[0]),
                "pairs": str(last[1]),
            }
            write_meta(db, meta)
            db.execute("COMMIT")
        finish(new, path)


def _last(index: Index) -> tuple[int, int]:
    """Return the largest numbers of an item and of a pair in an index."""
    with closing(index.open()) as db:
        (last,) = db.execute(
            "SELECT coalesce((SELECT max(id) FROM item), 0),"
            " coalesce((SELECT max(id) FROM pair), 0)"
        )
        return int(last[0]), int(last[1])


def _known(index: Index) -> tuple[int, int] | None:
    """Return up to which item and pair the words of this very index are there."""
    path = words_path(index)
    if not path.is_file():
        return None
    try:
        with closing(open_for_reading(path)) as db:
            meta = dict(db.execute("SELECT name, value FROM meta"))
        fits = (meta["lineage"], meta["version"]) == (index.lineage, str(VERSION))
        return (int(meta["items"]), int(meta["pairs"])) if fits else None
    except (sqlite3.Error, KeyError, ValueError):
        return None


def _add(
    db: sqlite3.Connection,
    items: sqlite3.Connection,
    known: tuple[int, int],
    last: tuple[int, int],
    how: tuple[Texts, Progress, Callable[[], bool]],
) -> bool:
    """Add the words of items and pairs behind `known`; return whether it went to the end."""
    texts, progress, stop = how
    whole = max(last[0] - known[0] + last[1] - known[1], 1)
    done = 0
    for table, rows in (
        ("asked", _pair_words(items, texts, known[1])),
        ("said", _item_words(items, texts, known[0])),
    ):
        insert = f"INSERT INTO {table} (rowid, words) VALUES (?, ?)"
        for number, (rowid, words) in enumerate(rows):
            db.execute(insert, (rowid, apart(words)))
            if number % _BATCH == 0:
                progress((done + number) / whole)
                if stop():
                    return False
        done += last[1] - known[1]
    return True


def _pair_words(items: sqlite3.Connection, texts: Texts, known: int) -> Iterator[tuple[int, str]]:
    rows = items.execute("SELECT id FROM pair WHERE id > ? ORDER BY id", (known,))
    for (pair,) in rows:
        with suppress(SteError, OSError):
            yield pair, texts.pair_words(pair)


def _item_words(items: sqlite3.Connection, texts: Texts, known: int) -> Iterator[tuple[int, str]]:
    sampled = items.execute(
        "SELECT item.id, item.source, span.start, span.size FROM item JOIN span"
        " ON span.item = item.id WHERE item.id > ? ORDER BY item.id",
        (known,),
    )
    for (item, source), spans in groupby(sampled, key=lambda row: (row[0], row[1])):
        places = [(start, size) for _, _, start, size in spans]
        with suppress(SteError, OSError):
            yield item, texts.said_words(source, places)
    measured = items.execute(
        "SELECT id, source, sample FROM item WHERE id > ? AND sample NOT NULL ORDER BY id", (known,)
    )
    for item, source, sample in measured:
        with suppress(SteError, OSError):
            yield item, texts.replied_words(source, sample)


def apart(words: str) -> str:
    """Return a text with spaces around the characters that count as words of their own.

    >>> apart("a 中文")
    'a  中  文 '
    """
    return words if words.isascii() else _NO_SPACES.sub(r" \1 ", words)


def to_match(query: str) -> str:
    """Return what SQLite searches for: all words, in any order; phrases in quotes; no `-word`.

    A word may end with `*`. Whatever a person types, it is never a syntax error; empty where there
    is nothing to search for.

    >>> to_match('longer "final verdict" -tie verb*')
    '"longer" AND "final verdict" AND "verb"* NOT "tie"'
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    query = query.replace("\0", " ").encode(errors="replace").decode()
    for sign, phrase, word in _QUERY.findall(query):
        text = apart(phrase or word).replace('"', " ").strip()
        star = "*" if word.endswith("*") else ""
        if not any(c.isalnum() for c in text):
            continue
        quoted = f'"{" ".join(text.rstrip("*").split())}"{star}'
        (unwanted if sign else wanted).append(quoted)
    if not wanted:
        return ""
    return " NOT ".join([" AND ".join(wanted), *unwanted])
