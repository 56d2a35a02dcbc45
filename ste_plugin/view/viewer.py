"""What all pages share: the folders that are looked at, and the templates."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ste_plugin.errors import DataError, SteError
from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.prompts import FindFormat
from ste_plugin.web.pages import Pages

_LOOK_AGAIN_S = 3.0
"""How often a folder is looked at for what came, at most."""


class Viewer:
    """The folders that are looked at, by the names that addresses have."""

    def __init__(self, folders: Sequence[IndexedFolder], find_format: FindFormat) -> None:
        """The first folder has the empty name; another is called as its folder is."""
        self.folders: dict[str, IndexedFolder] = {"": folders[0]}
        for folder in folders[1:]:
            self.folders[_free_name(folder.name, self.folders)] = folder
        self.find_format = find_format
        self.pages = Pages(Path(__file__).parent / "templates")
        self._looked, self._lock = 0.0, Lock()

    def folder(self, request: Request) -> tuple[IndexedFolder, str]:
        """Return the folder that an address names, and its name there."""
        name = request.query_params.get("run", "")
        if name not in self.folders:
            raise DataError(f"No folder {name!r} is looked at here.")
        return self.folders[name], name

    def look_again(self) -> None:
        """Take up what came in the folders, in the background; pages show it once it is read."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked < _LOOK_AGAIN_S:
                return
            self._looked = now
        for folder in self.folders.values():
            Thread(target=_refresh, args=[folder], daemon=True).start()

    def problems(self, folder: IndexedFolder) -> list[str]:
        """Return what of a folder's files could not be read, in words."""
        with folder.connect() as db:
            rows = db.execute(
                "SELECT path, unreadable, first_unreadable FROM file WHERE unreadable > 0"
            ).fetchall()
        return [
            f"{path}: {n:,} {'line' if n == 1 else 'lines'} cannot be read, the first is line "
            f"{first:,}. What it said is not shown."
            for path, n, first in rows
        ]


def _refresh(folder: IndexedFolder) -> None:
    with suppress(SteError, OSError, sqlite3.Error):
        folder.refresh()


def _free_name(name: str, taken: dict[str, IndexedFolder]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def refuse(viewer: Viewer, words: str) -> Response:
    """Return a page that says what is not there."""
    return viewer.pages.show("refused.html", 404, viewer=viewer, words=words)


Show = Callable[[Viewer, Request], Response]


def route(path: str, viewer: Viewer, show: Show) -> Route:
    """Return the route of a page; an index that turns out to be damaged is made again."""

    def answer(request: Request) -> Response:
        viewer.look_again()
        used = {name: folder.index for name, folder in viewer.folders.items()}
        try:
            return show(viewer, request)
        except sqlite3.Error:
            for name, folder in viewer.folders.items():
                folder.rebuild(used[name])
            return show(viewer, request)

    return Route(path, answer)
