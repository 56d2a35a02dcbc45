"""Folders opened to be looked at, words included."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.people import PeopleLabels


@contextmanager
def opened(root: Path) -> Iterator[IndexedFolder]:
    """Open a folder and wait until its words can be searched."""
    told: list[str] = []
    folder = IndexedFolder(root, told.append, PeopleLabels())
    try:
        folder.start_words()
        folder.wait_for_words()
        yield folder
    finally:
        folder.close()
    assert all("making the index" in line for line in told), told
