"""What `view.py` measures, in a process of its own: `make` an index, or `use` one that is there."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ste_plugin.view.library import Library
from ste_plugin.view.queries import Filter, count, items, position
from ste_plugin.view.words import words_path


def make(root: Path) -> dict[str, Any]:
    """Make the index and that of the words."""
    began = time.monotonic()
    library = Library(root, lambda _: None)
    indexed = time.monotonic()
    library.start_words()
    while library._words and library._words.is_alive():
        time.sleep(0.05)
    worded = time.monotonic()
    found = {
        "index_s": indexed - began,
        "index_mb": library.index.path.stat().st_size / 1e6,
        "words_s": worded - indexed,
        "words_mb": words_path(library.index).stat().st_size / 1e6,
        "megabytes": _peak_mb(),
    }
    library.close()
    return found


def use(root: Path) -> dict[str, Any]:
    """Open an index that is there, and look at pages of it."""
    began = time.monotonic()
    library = Library(root, lambda _: None)
    _page(library, Filter())
    found: dict[str, Any] = {"first_s": time.monotonic() - began}
    rare = Filter(judge="iter-02", outcome="none", forced="yes", changed="lost")
    steps: dict[str, Callable[[], object]] = {
        "filtered_s": lambda: _page(library, Filter(judge="iter-02", outcome="flips")),
        "rare_s": lambda: _page(library, rare),
        "next_s": lambda: _next(library, Filter(forced="yes", changed="gained")),
        "search_s": lambda: _page(library, Filter(q="shala vish")),
        "common_s": lambda: _page(library, Filter(q="verdict")),
    }
    for name, step in steps.items():
        started = time.monotonic()
        step()
        found[name] = time.monotonic() - started
    library.close()
    return found | {"steps": list(steps), "megabytes": _peak_mb()}


def _page(library: Library, wanted: Filter) -> None:
    with library.connect() as db:
        found = items(db, wanted)
        count(db, wanted)
        for item in found:
            library.texts.pair(item.pair)


def _next(library: Library, wanted: Filter) -> None:
    with library.connect() as db:
        middle = items(db, wanted, limit=500)[-1].id
        items(db, wanted, after=middle, limit=1)
        items(db, wanted, before=middle, limit=1)
        position(db, wanted, middle)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    print(json.dumps({"make": make, "use": use}[sys.argv[1]](Path(sys.argv[2]))))  # noqa: T201
