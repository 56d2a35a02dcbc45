"""What is no row of a file of ours: logs, caches and half-written files; and a last look for the text."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from ste_plugin.forget.cutting import JsonlEditor
from ste_plugin.forget.wanted import ForgetQuery, Selection

_LEAST = 12
"""Characters of a text that is looked for by itself: shorter ones are everybody's words."""
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".gguf", ".jinja"}
_VOCABULARY = {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"}


class ResidueScanner:
    """The texts that must not stand anywhere, as files may write them."""

    def __init__(self, wanted: ForgetQuery, gone: Selection) -> None:
        self._wanted = wanted
        texts = {instruction.text for instruction in gone.instructions.values()}
        lines = {line.strip() for text in texts for line in text.splitlines()}
        self._lines = {line for line in lines if len(line) >= _LEAST}
        self._texts = {form for t in texts if len(t) >= _LEAST for form in _written(t)}

    def in_line(self, line: str) -> bool:
        """Return whether a line of a log holds one of the texts, or a line of it."""
        return self._wanted.matches(line) or any(text in line for text in self._lines)

    def in_file(self, text: str) -> bool:
        """Return whether a file's text quotes one of them."""
        return self._wanted.matches(text) or any(found in text for found in self._texts)


def _written(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]


def clear_logs(root: Path, needles: ResidueScanner, scissors: JsonlEditor) -> None:
    """Take lines that quote the texts out of logs."""
    for path in sorted(root.rglob("*.log")):
        lines = path.read_bytes().decode("utf-8", "surrogateescape").splitlines(keepends=True)
        kept = [line for line in lines if not needles.in_line(line)]
        if len(kept) < len(lines):
            scissors.counts["log lines"] += len(lines) - len(kept)
            scissors.bytes(path, "".join(kept).encode("utf-8", "surrogateescape"))


def clear_scraps(root: Path, scissors: JsonlEditor) -> None:
    """Remove what killed writers left half-written, and axolotl's prepared copies of rows."""
    for path in sorted(root.rglob(".*.new")):
        scissors.remove(path)
    if not scissors.dry:
        for folder in sorted(root.rglob("prepared")):
            shutil.rmtree(folder, ignore_errors=True)


def still_quoting(root: Path, needles: ResidueScanner) -> list[Path]:
    """Return the text files of a run that quote the texts all the same; weights hold no text."""
    return [
        path for path in _text_files(root) if needles.in_file(path.read_text("utf-8", "replace"))
    ]


def _text_files(root: Path) -> Iterable[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix not in _WEIGHTS and path.name not in _VOCABULARY:
            yield path
