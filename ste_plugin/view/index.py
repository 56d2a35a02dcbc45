"""The index beside a run's files: made once, extended where files came or changed.

A finished index is never changed: another one is made beside it, synced, and renamed to its
place. So a killed process leaves the old one, several viewers do not meet, and readers take no
locks, which matters on network file systems.
"""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from ste_plugin.errors import DataError
from ste_plugin.storage.durable import is_about_storage, sync_folder, write_error
from ste_plugin.view.fill import Filler
from ste_plugin.view.schema import (
    NO_LABEL,
    NOT_ASKED,
    TABLES,
    VERSION,
    beside,
    open_for_reading,
    open_for_writing,
    write_meta,
)
from ste_plugin.view.sources import Contents, FileState, Source, find_contents

FOLDER = ".view"
"""Beside the files; it can be removed at any time."""
INDEX = "index.sqlite"
_ABANDONED_S = 86_400
"""A file that nobody wrote for so long was left by a process that was killed."""
_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)

Progress = Callable[[float], object]
"""Is told what share of the bytes is read, from 0 to 1."""


class Place(NamedTuple):
    """Where an index lies."""

    folder: Path
    temporary: bool
    """Whether the folder of the files cannot be written, so that this one is made each time."""


@dataclass(frozen=True, slots=True)
class Index:
    """A finished index of a folder, as it was at one moment."""

    root: Path
    place: Place
    contents: Contents
    lineage: str
    """The same for an index and what it was extended to: the numbers of its items stay."""

    @property
    def path(self) -> Path:
        """Return its file."""
        return self.place.folder / INDEX

    def open(self) -> sqlite3.Connection:
        """Return a connection for reading."""
        return open_for_reading(self.path)


def place_for(root: Path) -> Place:
    """Return where the index of a folder goes: beside its files, or where that cannot be."""
    beside = root / FOLDER
    try:
        beside.mkdir(exist_ok=True)
        probe = beside / f".{uuid4().hex}"
        probe.touch()
        probe.unlink()
        return Place(beside, temporary=False)
    except OSError:
        return Place(Path(tempfile.mkdtemp(prefix="ste-view-")), temporary=True)


def remove_place(place: Place) -> None:
    """Remove a temporary place."""
    if place.temporary:
        shutil.rmtree(place.folder, ignore_errors=True)


def bring_up_to_date(root: Path, place: Place, progress: Progress, *, anew: bool = False) -> Index:
    """Return the index of what a folder holds now; what is indexed already is not read again.

    `anew`: nothing of an index that is there is used.

    Raises: DataError where there is nothing to look at, or no room for the index.
    """
    contents = find_contents(root)
    path = place.folder / INDEX
    known = None if anew else _read_known(path)
    if known and not _differs(known, contents):
        return Index(root, place, contents, known.lineage)
    _remove_abandoned(place.folder)
    kept = known if known and _may_extend(known, contents) else None
    try:
        place.folder.mkdir(exist_ok=True)  # `ste forget` removes it, also while it is looked at
        return Index(root, place, contents, _make(root, path, contents, kept, progress))
    except OSError as error:
        if is_about_storage(error):
            raise write_error(path, error) from error
        raise DataError(
            f"{error.filename or root}: changed while it was read. Try again."
        ) from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _NO_ROOM:
            raise
        raise DataError(
            f"{path}: cannot be written ({error}). Make room on the disk, then run the same "
            "command again."
        ) from error


class _Known(NamedTuple):
    """What an index says of itself."""

    lineage: str
    files: frozenset[FileState]


def _read_known(path: Path) -> _Known | None:
    """Return what an index says of itself; None where there is none, or a damaged one."""
    if not path.is_file():
        return None
    try:
        with closing(open_for_reading(path)) as db:
            meta = dict(db.execute("SELECT name, value FROM meta"))
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            size = db.execute("PRAGMA page_size").fetchone()[0]
            files = db.execute("SELECT path, size, mtime, inode FROM file")
            known = _Known(meta["lineage"], frozenset(FileState(*row) for row in files))
    except (sqlite3.Error, KeyError):
        return None
    whole = pages * size == path.stat().st_size and meta.get("version") == str(VERSION)
    return known if whole else None


def is_current(index: Index) -> bool:
    """Return whether the file of an index is still that index; another viewer may replace it."""
    known = _read_known(index.path)
    return known is not None and known.lineage == index.lineage


def _differs(known: _Known, contents: Contents) -> bool:
    return known.files != frozenset(_files(contents))


def _files(contents: Contents) -> Iterable[FileState]:
    states = (contents.pairs, *contents.held_out)
    yield from (state for state in states if state)
    for source in contents.sources:
        yield source.file
        if source.samples:
            yield source.samples


def _may_extend(known: _Known, contents: Contents) -> bool:
    """Return whether the pairs are the same, which everything else refers to."""
    pool = {state for state in (contents.pairs, *contents.held_out) if state}
    return pool == {state for state in known.files if state.path.startswith("pool/")}


def _make(
    root: Path, path: Path, contents: Contents, kept: _Known | None, progress: Progress
) -> str:
    """Make an index in place of the one at `path`, out of it where `kept`; return its lineage."""
    with beside(path, copied=bool(kept)) as new:
        with closing(open_for_writing(new)) as db:
            db.execute("BEGIN")
            stays = _fill(db, root, contents, kept, progress)
            lineage = kept.lineage if kept and stays else uuid4().hex
            write_meta(db, {"lineage": lineage, "version": str(VERSION)})
            db.execute("COMMIT")
        finish(new, path)
    return lineage


def finish(new: Path, path: Path) -> None:
    """Sync a file and rename it to its place."""
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def _fill(
    db: sqlite3.Connection,
    root: Path,
    contents: Contents,
    kept: _Known | None,
    progress: Progress,
) -> bool:
    """Fill an index; return whether all items that it had stay."""
    files, stays = (kept.files if kept else frozenset()), True
    if kept:
        stays = _remove_gone(db, contents, files)
    else:
        for statement in TABLES.split(";"):
            db.execute(statement)
    new = [s for s in contents.sources if not {s.file, s.samples or s.file} <= files]
    filler = Filler(db, root, _advance(new, () if kept else contents, progress))
    if not kept:
        filler.add_pairs(contents)
    for source in new:
        filler.add_source(source)
    compare_rounds(db)
    _count(db)
    return stays


def _advance(
    new: Iterable[Source], pool: Contents | tuple[()], progress: Progress
) -> Callable[[int], None]:
    sizes = [s.file.size + (s.samples.size if s.samples else 0) for s in new]
    if pool:
        sizes += [state.size for state in (pool.pairs, *pool.held_out) if state]
    whole, read = max(sum(sizes), 1), 0

    def advance(count: int) -> None:
        nonlocal read
        read += count
        progress(min(read / whole, 1.0))

    return advance


def _remove_gone(db: sqlite3.Connection, contents: Contents, files: frozenset[FileState]) -> bool:
    """Remove what was read from files that are gone or are others now; return if there was none."""
    stays = {s.judge + "\n" + s.file.path for s in contents.sources} & {
        s.judge + "\n" + s.file.path
        for s in contents.sources
        if {s.file, s.samples or s.file} <= files
    }
    rows = db.execute(
        "SELECT source.id, judge, path FROM source JOIN file ON file.id = source.file"
    ).fetchall()
    gone = [number for number, judge, path in rows if f"{judge}\n{path}" not in stays]
    for number in gone:
        items = "SELECT id FROM item WHERE source = ?"
        db.execute(f"DELETE FROM span WHERE item IN ({items})", (number,))
        db.execute("DELETE FROM item WHERE source = ?", (number,))
        db.execute("DELETE FROM source WHERE id = ?", (number,))
    db.execute(
        "DELETE FROM file WHERE path NOT LIKE 'pool/%' AND id NOT IN"
        " (SELECT file FROM source UNION SELECT samples FROM source WHERE samples NOT NULL)"
    )
    return not gone


def compare_rounds(db: sqlite3.Connection) -> None:
    """Set what changed on each pair since the round before that was asked about the same pairs."""
    # of judges outside a run, whose round is 0, none came before another
    sources = db.execute(
        "SELECT id, on_pairs FROM source WHERE round > 0 OR judge = 'iter-00'"
        " ORDER BY on_pairs, round, judge"
    ).fetchall()
    for (before, on), (now, on_now) in pairwise(sources):
        if on == on_now:
            db.execute(_CHANGED, {"now": now, "before": before})


_CHANGED = f"""
UPDATE item SET changed = (
  SELECT (item.outcome = 0) - (old.outcome = 0) FROM item AS old
  WHERE old.pair = item.pair AND old.source = :before
    AND item.outcome NOT IN ({NO_LABEL}, {NOT_ASKED})
    AND old.outcome NOT IN ({NO_LABEL}, {NOT_ASKED})
) WHERE source = :now
"""


def _count(db: sqlite3.Connection) -> None:
    kinds = "source, subset, outcome, forced, mixed, people, changed"
    db.execute("DELETE FROM cube")
    db.execute(f"INSERT INTO cube SELECT {kinds}, count(*) FROM item GROUP BY {kinds}")


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob("*.new-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()
