"""Removing rows from JSONL files; an interruption leaves every file whole."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ste_plugin.storage.jsonl import (
    open_replacement,
    parse_line,
    replace_bytes,
    replace_json,
    truncate_partial_line,
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RewrittenFile:
    """The rest of a file that is named by its content, under its new name."""

    replaced: Path
    """The old file."""
    path: Path
    sha256: str
    rows: int
    """How many are left."""
    removed: list[Row]


@dataclass
class JsonlEditor:
    """Counts removed rows by kind; a dry run writes nothing."""

    dry: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def remove_rows(self, path: Path, kind: str, is_selected: Callable[[Row], bool]) -> None:
        """Remove rows from a file."""
        if not self.dry:
            truncate_partial_line(path)  # it may be the beginning of a row to remove
        removed = sum(is_selected(row) for row, _ in _iter_rows(path))
        self.counts[kind] += removed
        if removed and not self.dry:
            _write_rest(path, path, is_selected)

    def rewrite_without(self, path: Path, is_selected: Callable[[Row], bool]) -> RewrittenFile:
        """Write the rest of a file that is named by its content, if any row is removed.

        The old file stays: what names it must be replaced first.
        """
        removed: list[Row] = []
        digest, rows = hashlib.sha256(), 0
        for row, line in _iter_rows(path):
            if is_selected(row):
                removed.append(row)
            else:
                digest.update(line)
                rows += 1
        stem, _, old_digest = path.stem.rpartition("-")
        new = path.with_name(f"{stem}-{digest.hexdigest()[: len(old_digest)]}.jsonl")
        if removed and not self.dry:
            _write_rest(path, new, is_selected)
        return RewrittenFile(path, new, digest.hexdigest(), rows, removed)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        if not self.dry:
            path.unlink(missing_ok=True)

    def json(self, path: Path, value: Any) -> None:
        """Replace a JSON file."""
        if not self.dry:
            replace_json(path, value)

    def bytes(self, path: Path, content: bytes) -> None:
        """Replace a file."""
        if not self.dry:
            replace_bytes(path, content)


def _write_rest(path: Path, target: Path, is_selected: Callable[[Row], bool]) -> None:
    with open_replacement(target) as file:
        file.writelines(line for row, line in _iter_rows(path) if not is_selected(row))


def _iter_rows(path: Path) -> Iterator[tuple[Row, bytes]]:
    """Yield row and line, but no unfinished last line, as a killed writer leaves it."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n") and line.strip():
                yield parse_line(path, number, line), line
