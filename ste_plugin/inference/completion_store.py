"""The file of one stage's completions: appended on arrival, read by key, not held in memory."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO
from zlib import crc32

from ste_plugin.engines.base import FINISH_REASONS, Completion
from ste_plugin.engines.http.usage import estimate_tokens
from ste_plugin.errors import DataError, EngineError
from ste_plugin.inference.offsets import ABSENT, Offsets
from ste_plugin.storage.durable import sync
from ste_plugin.storage.jsonl import (
    encode_record,
    open_for_append,
    parse_record,
    truncate_partial_line,
)
from ste_plugin.storage.line_reader import LineReader

_KEY = re.compile(r"([0-9a-f]{16})-(0|[1-9]\d{0,8})")
_TYPES = (str, int, int)
_SYNC_S = 5.0
"""Seconds between syncs: the completions of so long may be lost in a power cut."""


def parse_key(key: str) -> tuple[int, int]:
    """Return the prompt's key as a number, and the sample's index. Raises: DataError."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise DataError(f"key {key!r} is not PROMPT-SAMPLE")
    return int(match[1], 16), int(match[2])


class CompletionStore:
    """All completions of one stage; memory holds only where each line starts."""

    def __init__(self, path: Path) -> None:
        """Index the file, if it exists; a partial last line is removed.

        Raises: DataError naming a line that is not a completion.
        """
        self.path = path
        self._lines = LineReader(path)
        truncate_partial_line(path)
        self._read_index()

    def _read_index(self) -> None:
        self.prompt_tokens, self.completion_tokens, self._estimated_tokens = 0, 0, 0
        self._offsets = Offsets()
        self.size = 0
        """Bytes of the file."""
        if self.path.exists():
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    self._index(self._parse(line, number), len(line))

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
        offset = self._offsets.get(prompt, sample)
        if offset == ABSENT:
            return None
        completion = self._parse(self._lines.read(offset))
        if completion.key != f"{prompt:016x}-{sample}":
            raise DataError(f"{self.path}: changed while it was read. Run the same command again.")
        return completion

    @contextmanager
    def open_appender(self) -> Iterator["Appender"]:
        """Open the file for further completions, all of them on disk when the block ends."""
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
        """Close the file; the next read opens it again."""
        self._lines.close()

    def _parse(self, line: bytes, number: int = 0) -> Completion:
        try:
            completion = parse_record(Completion, self.path, number, _remove_checksum(line))
            if number:  # one that is read back is compared with the key that it should have
                parse_key(completion.key)
            return completion
        except DataError as error:
            where = f"{self.path}:{number}" if number else str(self.path)
            raise DataError(
                f"{where}: not a completion ({error}).\nRemove that line and run the same command "
                "again: only its request is sent again."
            ) from error

    def _index(self, completion: Completion, length: int) -> None:
        prompt, sample = parse_key(completion.key)
        if not self.holds(prompt, sample):  # of two answers to one request the first one counts
            self._offsets.add(prompt, sample, self.size)
            self.prompt_tokens += completion.prompt_tokens
            self.completion_tokens += completion.completion_tokens
            if not completion.completion_tokens:
                written = completion.thinking + completion.text
                self._estimated_tokens += estimate_tokens(written)
        self.size += length


class CompletionStores:
    """The open files of completions: one that is asked for again is not indexed again."""

    def __init__(self) -> None:
        self._open: dict[Path, CompletionStore] = {}

    def open(self, path: Path) -> CompletionStore:
        """Return the store of a file, indexed anew where others have written to it since."""
        store = self._open.get(path)
        size = path.stat().st_size if path.exists() else 0
        if store is None or store.size != size:
            store = self._open[path] = CompletionStore(path)
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
        self._store._index(completion, len(line))


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
    return b'%b,"crc":%d}\n' % (line[:-2], crc32(line[:-2]))


def _remove_checksum(line: bytes) -> bytes:
    """Return a line without its checksum; one of an older file has none. Raises: DataError."""
    body, separator, rest = line.rpartition(b',"crc":')
    if not separator:
        return line
    checksum = rest.strip()[:-1]
    if rest.strip() != b"%d}" % crc32(body):
        raise DataError(
            f"its checksum is not {checksum.decode(errors='replace')}: the line was changed"
        )
    return body + b"}"
