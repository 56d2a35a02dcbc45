"""A folder that is looked at: its index, kept up to date, and connections to search it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread

from ste_plugin.errors import SteError
from ste_plugin.view.index import (
    Index,
    Place,
    bring_up_to_date,
    is_current,
    place_for,
    remove_place,
)
from ste_plugin.view.queries import Item
from ste_plugin.view.sources import find_contents, spoken_by
from ste_plugin.view.texts import Texts
from ste_plugin.view.words import add_words, are_complete, words_path

Say = Callable[[str], object]
Labels = Callable[[Path], Mapping[str, int]]
"""Reads what people said of a run's pairs: key → 1 where the better answer is better, -1, or 0."""


class IndexedFolder:
    """A run, or a folder of evaluations, ready to be looked at."""

    def __init__(self, root: Path, say: Say, labels: Labels = lambda _: {}) -> None:
        """Make the index, or bring it up to date; what takes long is told."""
        self.root, self._say, self._labels = root, say, labels
        find_contents(root)  # before anything is written
        self.place: Place = place_for(root)
        self._lock, self._closing = Lock(), False
        self._words: Thread | None = None
        self.words_share, self.words_problem = 0.0, ""
        self.index: Index = self._build()
        self.texts = Texts(self.index)

    @property
    def name(self) -> str:
        """Return what the folder is called."""
        return self.root.resolve().name

    def close(self) -> None:
        """Stop what goes on in the background, and remove what is temporary."""
        self._closing = True
        self.wait_for_words()
        self.texts.close()
        remove_place(self.place)

    def start_words(self) -> None:
        """Begin to make the words searchable, in the background."""
        if self._words is None or not self._words.is_alive():
            self._words = Thread(target=self._add_words, daemon=True)
            self._words.start()

    def wait_for_words(self) -> None:
        """Return once the words that are being made searchable are so."""
        if self._words:
            self._words.join()

    def refresh(self) -> bool:
        """Take up what came or changed in the folder since; return whether there was something."""
        # while files are replaced, the old index still tells
        with self._lock, suppress(SteError):
            if find_contents(self.root) != self.index.contents or not is_current(self.index):
                self._replace(self._build())
                return True
        return False

    def rebuild(self, damaged: Index) -> None:
        """Make an index anew that turned out to be damaged, unless that was done meanwhile."""
        with self._lock:
            if self.index is damaged:
                self._replace(self._build(anew=True))

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open the index, with words and people's labels beside it as `words` and `people`."""
        with closing(self.index.open()) as db:
            path = words_path(self.index)
            if self.has_words():
                db.execute("ATTACH ? AS words", (f"{path.resolve().as_uri()}?mode=ro&immutable=1",))
            db.execute("ATTACH ':memory:' AS people")
            db.execute("PRAGMA query_only = OFF")
            db.execute("CREATE TABLE people.label (pair INTEGER PRIMARY KEY, people INTEGER)")
            db.executemany(
                "INSERT OR REPLACE INTO people.label SELECT id, ? FROM pair WHERE key = ?",
                ((people, key) for key, people in self._labels(self.root).items()),
            )
            db.commit()
            yield db

    def speaker(self, item: Item) -> str:
        """Return which judge's words an item is."""
        return spoken_by(self.root, item.judge, sampled=item.is_sampled)

    def has_words(self) -> bool:
        """Return whether words can be searched by now."""
        return are_complete(self.index)

    def _build(self, *, anew: bool = False) -> Index:
        told = False

        def progress(share: float) -> None:
            nonlocal told
            if not told and share < 1:
                told = True
                self._say(f"{self.root}: making the index, once …")

        return bring_up_to_date(self.root, self.place, progress, anew=anew)

    def _replace(self, index: Index) -> None:
        old, self.index = self.texts, index
        self.texts = Texts(index)
        old.close()
        self.start_words()

    def _add_words(self) -> None:
        def progress(share: float) -> None:
            self.words_share = share

        texts = Texts(self.index)
        try:
            add_words(self.index, texts, progress, lambda: self._closing)
        except (SteError, OSError, sqlite3.Error) as error:
            self.words_problem = str(error)
        finally:
            texts.close()
