"""Cutting lines out of JSONL files, each file whole at any moment."""

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


@dataclass
class JsonlEditor:
    """Counts what is cut out by kind; a dry run writes nothing."""

    dry: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def remove_rows(self, path: Path, kind: str, is_selected: Callable[[Row], bool]) -> list[Row]:
        """Return the rows cut out of a file, which is then replaced by the rest."""
        if not self.dry:
            truncate_partial_line(path)  # it may be the beginning of what goes
        found = [row for row, _ in _iter_rows(path) if is_selected(row)]
        self.counts[kind] += len(found)
        if found and not self.dry:
            with open_replacement(path) as file:
                file.writelines(line for row, line in _iter_rows(path) if not is_selected(row))
        return found

    def rewrite_without(
        self, path: Path, is_selected: Callable[[Row], bool]
    ) -> tuple[Path, str, int, list[Row]]:
        """Return the rest of a file named by its content under its new name, its SHA-256, its rows,
        and the rows cut out. The old file stays: what names it must be replaced first."""
        found: list[Row] = []
        digest, count = hashlib.sha256(), 0
        for row, line in _iter_rows(path):
            if is_selected(row):
                found.append(row)
            else:
                digest.update(line)
                count += 1
        stem, _, mark = path.stem.rpartition("-")
        fresh = path.with_name(f"{stem}-{digest.hexdigest()[: len(mark)]}.jsonl")
        if found and not self.dry:
            with open_replacement(fresh) as file:
                file.writelines(line for row, line in _iter_rows(path) if not is_selected(row))
        return fresh, digest.hexdigest(), count, found

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


def _iter_rows(path: Path) -> Iterator[tuple[Row, bytes]]:
    """Yield row and line; an unfinished last line, as a killed writer leaves it, is no row."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n") and line.strip():
                yield parse_line(path, number, line), line
