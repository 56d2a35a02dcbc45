"""The files of one stage's completions: appended on arrival, read by key, not held in memory.

A run appends to `NAME.completions.jsonl`. Processes that answer at the same time append to a part
each, `NAME.part-PART.completions.jsonl`; all of them are read as one.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO
from zlib import crc32

from ste_plugin.engines.base import FINISH_REASONS, UNUSABLE, Completion
from ste_plugin.engines.http.usage import estimate_tokens
from ste_plugin.errors import DataError, EngineError
from ste_plugin.inference.offsets import ABSENT, Offsets
from ste_plugin.storage.durable import sync
from ste_plugin.storage.jsonl import (
    encode_record,
    open_for_append,
    open_replacement,
    parse_record,
    truncate_partial_line,
)
from ste_plugin.storage.line_reader import LineReader

_KEY = re.compile(r"([0-9a-f]{16})-(0|[1-9]\d{0,8})")
_CHECKSUM = b',"crc":'
_TYPES = (str, int, int)
_UNUSABLE = [f'"finish_reason":"{reason}"'.encode() for reason in UNUSABLE]
"""Words that a line has where nothing is made of it; within its texts quotes are escaped."""
_FINISHED = 1 << 62
"""Added to where a completion is, if it is finished: no file is so long, nor are there as many."""
_PART = re.compile(r"\.part-\d+-of-\d+(?=\.)")
_SYNC_S = 5.0
"""Seconds between syncs: the completions of so long may be lost in a power cut."""


def parse_key(key: str) -> tuple[int, int]:
    """Return the prompt's key as a number, and the sample's index. Raises: DataError."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise DataError(f"key {key!r} is not PROMPT-SAMPLE")
    return int(match[1], 16), int(match[2])


def part_path(path: Path, part: str) -> Path:
    """Return the file of a part of a stage's completions; `part` is `I-of-N`.

    >>> part_path(Path("judging.completions.jsonl"), "3-of-16").name
    'judging.part-3-of-16.completions.jsonl'
    """
    stem, _, rest = path.name.partition(".")
    return path.with_name(f"{stem}.part-{part}.{rest}")


def find_completions(root: Path, pattern: str = "*.completions.jsonl") -> list[Path]:
    """Return the path of each store anywhere in a folder, parts or not."""
    parts = pattern.replace(".", ".part-*.", 1)
    found = (path for name in (pattern, parts) for path in root.rglob(name))
    return sorted({path.with_name(_PART.sub("", path.name)) for path in found})


def remove_unusable(path: Path) -> None:
    """Remove the completions of a file that nothing is made of, so that they are asked for again.

    What they say of a server may be true no more: of its context, its filter, its health.
    """
    with path.open("rb") as file:
        if not any(map(_is_unusable, file)):
            return
        file.seek(0)
        with open_replacement(path) as rest:
            rest.writelines(line for line in file if not _is_unusable(line))


def _is_unusable(line: bytes) -> bool:
    return any(ending in line for ending in _UNUSABLE)


class CompletionStore:
    """All completions of one stage; memory holds only where each line starts."""

    def __init__(self, path: Path, part: str = "") -> None:
        """Index the files that exist; a partial last line of the one that is written is removed.

        `part`: which one that is, as in `part_path`; by default `path` itself.
        Raises: DataError naming a line that is not a completion.
        """
        self._path = path
        self.path = part_path(path, part) if part else path
        """The file that is written."""
        truncate_partial_line(self.path)
        self._read_index()

    def _read_index(self) -> None:
        self.prompt_tokens, self.completion_tokens, self._estimated_tokens = 0, 0, 0
        self._offsets = Offsets()
        self._files = self._find_files()
        self._lines = LineReader(*self._files)
        self._own = self._files.index(self.path)
        self._sizes = [0] * len(self._files)
        for at, path in enumerate(self._files):
            if path.exists():
                with path.open("rb") as file:
                    for number, line in enumerate(file, start=1):
                        if not line.endswith(b"\n"):  # its writer is at it, or was killed
                            break
                        self._index(at, self._parse(path, line, number), len(line))

    def _find_files(self) -> list[Path]:
        """Return all files: the one that is written is among them."""
        parts = {self.path, *self._path.parent.glob(part_path(self._path, "*").name)}
        return [self._path, *sorted(parts - {self._path})]

    @property
    def size(self) -> int:
        """Bytes of the file that is written."""
        return self._sizes[self._own]

    @property
    def is_current(self) -> bool:
        """Whether nobody else has written since the files were indexed."""
        sizes = [path.stat().st_size if path.exists() else 0 for path in self._files]
        return self._find_files() == self._files and sizes == self._sizes

    @property
    def written_tokens(self) -> int:
        """The tokens that were generated; an estimate where the engine counts none."""
        return self.completion_tokens or self._estimated_tokens

    def __contains__(self, key: str) -> bool:
        return self.holds(*parse_key(key))

    def holds(self, prompt: int, sample: int) -> bool:
        """Return whether a sample of a prompt was answered; `prompt` is its key as a number."""
        return self._offsets.get(prompt, sample) != ABSENT

    def get(self, key: str) -> Completion | None:
        """Return the completion of a request, or None if there is none yet.

        Raises: DataError where the file was changed since it was indexed.
        """
        return self.read(*parse_key(key))

    def read(self, prompt: int, sample: int) -> Completion | None:
        """Return what `get` returns; no key is parsed, as millions of completions are read back."""
        place = self.find(prompt, sample)
        return None if place == ABSENT else self.read_at(place, prompt, sample)

    def find(self, prompt: int, sample: int) -> int:
        """Return the place of a completion, or ABSENT."""
        return self._offsets.get(prompt, sample)

    @staticmethod
    def is_finished(place: int) -> bool:
        """Return whether the completion there ended by itself, and says something."""
        return place >= _FINISHED

    def read_at(self, place: int, prompt: int, sample: int) -> Completion:
        """Return the completion at a place, which is that of a sample of a prompt.

        Raises: DataError, as `get`.
        """
        place &= ~_FINISHED
        path, line = self._lines.path(place), self._lines.read(place)
        completion = self._parse(path, line)
        if completion.key != f"{prompt:016x}-{sample}":
            raise DataError(f"{path}: changed while it was read. Run the same command again.")
        return completion

    @contextmanager
    def open_appender(self) -> Iterator["Appender"]:
        """Open a file for further completions, all of them on disk when the block ends."""
        with open_for_append(self.path) as file:
            yield Appender(self, file)

    def remove_from(self, size: int) -> None:
        """Remove what was appended since the file had this size: it is to be asked for again."""
        self.close()
        with self.path.open("r+b") as file:
            file.truncate(size)
            sync(file)
        self._read_index()

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        self._lines.close()

    def add(self, completion: Completion, length: int) -> None:
        """Index a completion that was appended to the file in `length` bytes."""
        self._index(self._own, completion, length)

    def _parse(self, path: Path, line: bytes, number: int = 0) -> Completion:
        try:
            completion = parse_record(Completion, path, number, _remove_checksum(line))
            if number:  # one that is read back is compared with the key that it should have
                parse_key(completion.key)
            return completion
        except DataError as error:
            where = f"{path}:{number}" if number else str(path)
            raise DataError(
                f"{where}: not a completion ({error}).\nRemove that line and run the same command "
                "again: only its request is sent again."
            ) from error

    def _index(self, at: int, completion: Completion, length: int) -> None:
        place = LineReader.place(at, self._sizes[at])
        if completion.finish_reason == "stop" and completion.text.strip():
            place |= _FINISHED
        # of two answers to one request the first one counts
        if self._offsets.add(*parse_key(completion.key), place):
            self.prompt_tokens += completion.prompt_tokens
            self.completion_tokens += completion.completion_tokens
            if not completion.completion_tokens:
                written = completion.thinking + completion.text
                self._estimated_tokens += estimate_tokens(written)
        self._sizes[at] += length


class CompletionStores:
    """The open files of completions: one that is asked for again is not indexed again."""

    def __init__(self, create: Callable[[Path], CompletionStore] = CompletionStore) -> None:
        """`create` returns the store of a path."""
        self._create = create
        self._open: dict[Path, CompletionStore] = {}

    def open(self, path: Path) -> CompletionStore:
        """Return the store of a file, indexed anew where others have written to it since."""
        store = self._open.get(path)
        if store is None or not store.is_current:
            store = self._open[path] = self._create(path)
        return store

    def close(self) -> None:
        """Close all files, and drop their indices."""
        for store in self._open.values():
            store.close()
        self._open.clear()


class Appender:
    """Writes completions to the end of a file."""

    def __init__(self, store: CompletionStore, file: BinaryIO) -> None:
        self._store, self._file, self._synced = store, file, monotonic()

    def add(self, completion: Completion) -> None:
        """Write a completion, before anything is derived from it.

        Raises: EngineError for one that could not be read back.
        """
        _check_types(completion)
        line = _add_checksum(encode_record(completion))
        self._file.write(line)
        self._file.flush()
        if monotonic() - self._synced > _SYNC_S:
            sync(self._file)
            self._synced = monotonic()
        self._store.add(completion, len(line))


def _check_types(completion: Completion) -> None:
    """Raise EngineError for what could not be read back: records check their types on reading."""
    values = (completion.text, completion.prompt_tokens, completion.completion_tokens)
    if completion.finish_reason not in FINISH_REASONS or tuple(map(type, values)) != _TYPES:
        raise EngineError(
            f"An engine answered {completion!r:.300}; expected a text, finish_reason "
            f"{' or '.join(map(repr, FINISH_REASONS))} and whole numbers of tokens. Fix the engine."
        )


def _add_checksum(line: bytes) -> bytes:
    """Return the line of a JSON object with a checksum of its other fields as the last field."""
    body = line[:-2]
    return b'%b,"crc":%d}\n' % (body, crc32(body))


def _remove_checksum(line: bytes) -> bytes:
    """Return a line without its checksum; one of an older file has none. Raises: DataError."""
    end = line.rfind(_CHECKSUM)
    if end < 0:
        return line
    body, rest = line[:end], line[end + len(_CHECKSUM) :].strip()
    if rest != b"%d}" % crc32(body):
        raise DataError(
            f"its checksum is not {rest[:-1].decode(errors='replace')}: the line was changed"
        )
    return body + b"}"
