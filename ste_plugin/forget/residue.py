"""What row files do not cover: logs, caches and partial files, and a final scan for the text."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from ste_plugin.forget.editor import JsonlEditor
from ste_plugin.forget.query import ForgetQuery
from ste_plugin.forget.selection import Selection
from ste_plugin.storage.run_layout import GIVEN, LABELLED, READ
from ste_plugin.view.index import FOLDER as INDEX_FOLDER

_MIN_LENGTH = 12
"""Characters that a text must have to be searched for: shorter ones occur by chance."""
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".gguf", ".jinja"}
_VOCABULARY = {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"}


class ResidueScanner:
    """Finds the texts that must not remain anywhere, in every encoding that files use."""

    def __init__(self, query: ForgetQuery, selection: Selection) -> None:
        self._query = query
        texts = {instruction.text for instruction in selection.instructions.values()}
        lines = {line.strip() for text in texts for line in text.splitlines()}
        self._lines = {line for line in lines if len(line) >= _MIN_LENGTH}
        self._texts = {e for t in texts if len(t) >= _MIN_LENGTH for e in _encodings(t)}

    def in_line(self, line: str) -> bool:
        """Return whether a line of a log holds one of the texts, or a line of it."""
        return self._query.matches(line) or any(text in line for text in self._lines)

    def in_file(self, text: str) -> bool:
        """Return whether a file's text quotes one of them."""
        return self._query.matches(text) or any(encoded in text for encoded in self._texts)


def _encodings(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]


def remove_log_lines(root: Path, scanner: ResidueScanner, editor: JsonlEditor) -> None:
    """Remove lines that quote the texts from logs."""
    for path in sorted(root.rglob("*.log")):
        lines = path.read_bytes().decode("utf-8", "surrogateescape").splitlines(keepends=True)
        kept = [line for line in lines if not scanner.in_line(line)]
        if len(kept) < len(lines):
            editor.counts["log lines"] += len(lines) - len(kept)
            editor.bytes(path, "".join(kept).encode("utf-8", "surrogateescape"))


def remove_partial_files(root: Path, editor: JsonlEditor) -> None:
    """Remove files that killed writers left unfinished, and what is made again without asking.

    That is axolotl's prepared copies of rows, and the index of `ste view`, which holds words.
    """
    for pattern in (".*.new", READ, LABELLED, GIVEN):
        for path in sorted(root.rglob(pattern)):
            editor.remove(path)
    if not editor.dry:
        for folder in sorted([*root.rglob("prepared"), *root.rglob(INDEX_FOLDER)]):
            shutil.rmtree(folder, ignore_errors=True)


def find_files_quoting(root: Path, scanner: ResidueScanner) -> list[Path]:
    """Return the text files of a run that still quote the texts; weights hold no text."""
    return [
        path
        for path in _iter_text_files(root)
        if scanner.in_file(path.read_text("utf-8", "replace"))
    ]


def _iter_text_files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix not in _WEIGHTS and path.name not in _VOCABULARY:
            yield path
