"""Texts of pairs and judgments, read from the run's files by the places that the index holds."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from threading import Lock
from typing import Any, NamedTuple

import msgspec
import orjson

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.replies import CUT_OFF, NOT_ASKED, NOT_DRAWN
from ste_plugin.lm_eval_tasks.samples import generated
from ste_plugin.records import ORDERS, Judgment
from ste_plugin.storage.jsonl import parse_line, parse_record
from ste_plugin.text.thinking import split_thinking, without_marks
from ste_plugin.view.index import Index
from ste_plugin.view.sources import FileState

_BLOCK = 1 << 14
_MAX_LINE = 1 << 26
"""No line is longer, or it is damaged."""


class PairText(NamedTuple):
    """What a pair says."""

    question: str
    better: tuple[str, ...]
    """One answer; of RewardBench 2 there may be several, as of the next."""
    worse: tuple[str, ...]
    columns: Mapping[str, str] = {}
    """What a judge format shows of the instruction beside its text."""


class Said(NamedTuple):
    """One reply of a judge."""

    order: str
    """Letter under which the better answer was shown; empty where there is no such thing."""
    number: int
    """Which sample it is, from 0."""
    thinking: str
    text: str
    verdict: str | None
    """A, B or tie; None where there is none, or where the file does not tell."""
    forced: bool = False


class Texts:
    """Reads the texts behind one index; can be used from several threads."""

    def __init__(self, index: Index) -> None:
        self._root = index.root
        self._open: dict[str, int] = {}
        self._lock, self._closed = Lock(), False
        with closing(index.open()) as db:
            states = db.execute("SELECT path, size, mtime, inode FROM file")
            self._states = {row[0]: FileState(*row) for row in states}
            self._files = {
                number: (judged, samples)
                for number, judged, samples in db.execute(
                    "SELECT source.id, file.path, logged.path FROM source"
                    " JOIN file ON file.id = source.file"
                    " LEFT JOIN file AS logged ON logged.id = source.samples"
                )
            }
        self._db = index.open()
        self._pool = "pool/pairs.jsonl"

    def close(self) -> None:
        """Close all files; what is asked for from here on is a DataError."""
        with self._lock:
            self._closed = True
            for file in self._open.values():
                os.close(file)
            self._open.clear()
            self._db.close()

    def pair(self, pair: int) -> PairText:
        """Return the texts of a pair. Raises: DataError where they are nowhere to be read."""
        start = self._one("SELECT start FROM pair WHERE id = ?", pair)
        if start is not None:
            row = self._row(self._pool, start)
            return PairText(
                row["instruction"], (row["better"],), (row["worse"],), dict(row.get("shown", ()))
            )
        found = self._one_row(
            "SELECT source, sample FROM item WHERE pair = ? AND sample NOT NULL LIMIT 1", pair
        )
        if found is None:
            raise DataError("The texts of this pair are in no file of the folder any more.")
        doc = self.sample(*found)["doc"]
        return PairText(doc["prompt"], _several(doc["chosen"]), _several(doc["rejected"]))

    def sample(self, source: int, start: int) -> dict[str, Any]:
        """Return what lm-eval logged of one pair."""
        return self._row(self._files[source][1] or "", start)

    def judged(self, source: int, start: int) -> dict[str, Any]:
        """Return the line of judged.jsonl of one pair."""
        return self._row(self._files[source][0], start)

    def samples_of(self, source: int, spans: Sequence[tuple[int, int]]) -> Iterator[Said]:
        """Yield the sampled judgments at these places; what cannot be read is left out."""
        path = self._files[source][0]
        for start, size in spans:
            for line in self._read(path, start, size).splitlines():
                try:
                    said = parse_record(Judgment, self._root / path, 0, line)
                except DataError:
                    continue
                thought = without_marks(said.thinking) if said.thinking else ""
                yield Said(
                    said.gold, said.sample_index, thought, said.text, said.verdict, said.forced
                )

    def first_reply(self, source: int, place: tuple[int, int] | None, sample: int | None) -> str:
        """Return the first reply of a sampled judgment's span, or of what lm-eval logged."""
        if place:
            start, size = place
            lines = self._read(self._files[source][0], start, size).splitlines()
            return _words_of(lines[0], thinking=False) if lines else ""
        if sample is None:
            return ""
        replies = (text for _, texts in replies_in(self.sample(source, sample)) for text in texts)
        return split_thinking(next(replies, "")).said

    def pair_words(self, pair: int) -> str:
        """Return question and answers, to be searched."""
        text = self.pair(pair)
        return "\n".join((text.question, *text.better, *text.worse))

    def said_words(self, source: int, spans: Sequence[tuple[int, int]]) -> str:
        """Return what sampled judgments say, to be searched."""
        path = self._files[source][0]
        lines = (
            line for start, size in spans for line in self._read(path, start, size).splitlines()
        )
        return "\n".join(_words_of(line) for line in lines)

    def replied_words(self, source: int, start: int) -> str:
        """Return what was replied to one pair, to be searched."""
        replies = replies_in(self.sample(source, start))
        return "\n".join(text for _, texts in replies for text in texts)

    def _row(self, path: str, start: int) -> dict[str, Any]:
        return parse_line(self._root / path, 0, self._line(path, start))

    def _line(self, path: str, start: int) -> bytes:
        size, line = _BLOCK, b""
        while True:
            block = self._read(path, start + len(line), size)
            end = block.find(b"\n")
            line += block if end < 0 else block[:end]
            if end >= 0 or len(block) < size or len(line) > _MAX_LINE:
                return line
            size *= 4

    def _read(self, path: str, start: int, size: int) -> bytes:
        with self._lock:
            self._require_open()
            if path not in self._open:
                self._open[path] = self._open_unchanged(path)
            return os.pread(self._open[path], size, start)

    def _require_open(self) -> None:
        if self._closed:
            raise DataError("The files changed meanwhile. Load the page again.")

    def _open_unchanged(self, path: str) -> int:
        """Open a file that is still the one that was indexed, and stays so once it is open."""
        try:
            file = os.open(self._root / path, os.O_RDONLY)
        except OSError as error:
            raise DataError(f"{self._root / path}: {error.strerror}.") from error
        found = os.fstat(file)
        if FileState(path, found.st_size, found.st_mtime_ns, found.st_ino) != self._states[path]:
            os.close(file)
            raise DataError(
                f"{self._root / path}: changed since it was indexed. Load the page again."
            )
        return file

    def _one(self, query: str, number: int) -> Any:
        row = self._one_row(query, number)
        return None if row is None else row[0]

    def _one_row(self, query: str, number: int) -> Any:
        with self._lock:
            self._require_open()
            return self._db.execute(query, (number,)).fetchone()


class _Words(msgspec.Struct, gc=False):
    text: str = ""
    thinking: str = ""


_decode_words = msgspec.json.Decoder(_Words).decode


def _words_of(line: bytes, *, thinking: bool = True) -> str:
    try:
        said = _decode_words(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f"{said.thinking}\n{said.text}" if thinking and said.thinking else said.text


def _several(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def replies_in(sample: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return (prompt, replies) of each request for a reply that lm-eval logged of a pair."""
    found = []
    logged = zip(sample["arguments"].values(), sample["filtered_resps"], strict=False)
    for request, response in logged:
        if generated(request):
            replies = [response] if isinstance(response, str) else list(response)
            asked = [r for r in replies if r not in (NOT_ASKED, NOT_DRAWN)]
            found.append((as_text(request["arg_0"]), [r.removesuffix(CUT_OFF) for r in asked]))
    return found


def as_text(prompt: Any) -> str:
    """Return a logged prompt as a person reads it: text, or the turns of a chat."""
    if isinstance(prompt, str):
        return prompt
    return orjson.dumps(prompt, option=orjson.OPT_INDENT_2).decode()


def replies_of(sample: Mapping[str, Any], judged: Mapping[str, Any]) -> list[Said]:
    """Return what was replied to a pair, by the order in which its answers were shown."""
    shown = judged.get("shown") or list(ORDERS)
    said: list[Said] = []
    for place, (_, replies) in enumerate(replies_in(sample)):
        order = shown[place] if "shown" in judged and place < len(shown) else ""
        letters = judged.get(f"samples_{order.lower()}") or [None] * len(replies)
        for number, reply in enumerate(replies):
            split = split_thinking(reply)
            thought = without_marks(split.thinking) if split.thinking else ""
            verdict = letters[number] if number < len(letters) else None
            said.append(
                Said(order, number if order else len(said), thought, split.said.strip(), verdict)
            )
    return said
