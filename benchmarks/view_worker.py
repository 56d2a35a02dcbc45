"""What `view.py` measures, in a process of its own: `make` an index, or `use` one that is there."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.queries import Filter, count, items, position
from ste_plugin.view.words import words_path


def make(root: Path) -> dict[str, Any]:
    """Make the index and that of the words."""
    began = time.monotonic()
    folder = IndexedFolder(root, lambda _: None)
    indexed = time.monotonic()
    folder.start_words()
    while folder._words and folder._words.is_alive():
        time.sleep(0.05)
    worded = time.monotonic()
    found = {
        "index_s": indexed - began,
        "index_mb": folder.index.path.stat().st_size / 1e6,
        "words_s": worded - indexed,
        "words_mb": words_path(folder.index).stat().st_size / 1e6,
        "megabytes": _peak_mb(),
    }
    folder.close()
    return found


def use(root: Path) -> dict[str, Any]:
    """Open an index that is there, and look at pages of it."""
    began = time.monotonic()
    folder = IndexedFolder(root, lambda _: None)
    _page(folder, Filter())
    found: dict[str, Any] = {"first_s": time.monotonic() - began}
    rare = Filter(judge="iter-02", outcome="none", forced="yes", changed="lost")
    steps: dict[str, Callable[[], object]] = {
        "filtered_s": lambda: _page(folder, Filter(judge="iter-02", outcome="flips")),
        "rare_s": lambda: _page(folder, rare),
        "next_s": lambda: _next(folder, Filter(forced="yes", changed="gained")),
        "search_s": lambda: _page(folder, Filter(q="shala vish")),
        "common_s": lambda: _page(folder, Filter(q="verdict")),
    }
    for name, step in steps.items():
        started = time.monotonic()
        step()
        found[name] = time.monotonic() - started
    folder.close()
    return found | {"steps": list(steps), "megabytes": _peak_mb()}


def _page(folder: IndexedFolder, wanted: Filter) -> None:
    with folder.connect() as db:
        found = items(db, wanted)
        count(db, wanted)
        for item in found:
            folder.texts.pair(item.pair)


def _next(folder: IndexedFolder, wanted: Filter) -> None:
    with folder.connect() as db:
        found = items(db, wanted, limit=500)
        middle = found[-1].id if found else 1  # a small run may have none so rare
        items(db, wanted, after=middle, limit=1)
        items(db, wanted, before=middle, limit=1)
        position(db, wanted, middle)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    print(json.dumps({"make": make, "use": use}[sys.argv[1]](Path(sys.argv[2]))))  # noqa: T201
