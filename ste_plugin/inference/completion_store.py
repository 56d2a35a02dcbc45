"""The file of one stage's completions: appended as they come, looked up by key, never held in memory."""

import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO
from zlib import crc32

from ste_plugin.engines.base import FINISH_REASONS, Completion
from ste_plugin.errors import DataError, EngineError
from ste_plugin.storage.durable import sync
from ste_plugin.storage.jsonl import (
    encode_record,
    open_for_append,
    parse_record,
    truncate_partial_line,
)

_KEY = re.compile(r"([0-9a-f]{16})-(0|[1-9]\d{0,8})")
_NOWHERE = -1
_TYPES = (str, int, int)
_SYNC_S = 5.0
"""Seconds of answers that a power cut may cost."""


def numbers_of(key: str) -> tuple[int, int]:
    """Return the number that the prompt's key is, and that of the sample. Raises: DataError."""
    found = _KEY.fullmatch(key)
    if found is None:
        raise DataError(f"key {key!r} is not PROMPT-SAMPLE")
    return int(found[1], 16), int(found[2])


class CompletionStore:
    """Everything that a model has answered in one stage; only the places of the lines are held."""

    def __init__(self, path: Path) -> None:
        """Index the file, its torn tail cut; there need be none yet.

        Raises: DataError naming a line that is no completion.
        """
        self.path = path
        self.prompt_tokens, self.completion_tokens = 0, 0
        self._places: dict[int, array[int]] = {}  # by the number that a prompt's key is
        self._end = 0
        self._reader: BinaryIO | None = None
        truncate_partial_line(path)
        if path.exists():
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    self._index(self._parsed(line, number), len(line))

    def __contains__(self, key: str) -> bool:
        return self.holds(*numbers_of(key))

    def holds(self, prompt: int, sample: int) -> bool:
        """Return whether a sample of a prompt, by the number that is its key, was answered."""
        return self._place(prompt, sample) != _NOWHERE

    def get(self, key: str) -> Completion | None:
        """Return the completion of a request, or None if nobody has answered it.

        Raises: DataError where the file was changed meanwhile.
        """
        return self.read(*numbers_of(key))

    def read(self, prompt: int, sample: int) -> Completion | None:
        """Return what `get` returns, without a key to take apart: millions are read back."""
        place = self._place(prompt, sample)
        if place == _NOWHERE:
            return None
        if self._reader is None:
            self._reader = self.path.open("rb")
        self._reader.seek(place)
        found = self._parsed(self._reader.readline())
        if found.key != f"{prompt:016x}-{sample}":
            raise DataError(f"{self.path}: changed while it was read. Run the same command again.")
        return found

    @contextmanager
    def appended(self) -> Iterator["Appender"]:
        """Open the file for further completions, all of them on disk when the block ends."""
        with open_for_append(self.path) as file:
            yield Appender(self, file)

    def close(self) -> None:
        """Close the file; it opens again by itself."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _parsed(self, line: bytes, number: int = 0) -> Completion:
        try:
            found = parse_record(Completion, self.path, number, _unsealed(line))
            if number:  # one that is read back is compared with the key that it should have
                numbers_of(found.key)
            return found
        except DataError as error:
            where = f"{self.path}:{number}" if number else str(self.path)
            raise DataError(
                f"{where}: not a completion ({error}).\nRemove that line and run the same command "
                "again: only its request is asked for again."
            ) from error

    def _place(self, prompt: int, sample: int) -> int:
        places = self._places.get(prompt)
        return places[sample] if places and sample < len(places) else _NOWHERE

    def _index(self, completion: Completion, length: int) -> None:
        prompt, sample = numbers_of(completion.key)
        places = self._places.get(prompt)
        if places is None:
            places = self._places[prompt] = array("q")
        while len(places) <= sample:
            places.append(_NOWHERE)
        if places[sample] == _NOWHERE:  # of two answers to one request the first one counts
            places[sample] = self._end
            self.prompt_tokens += completion.prompt_tokens
            self.completion_tokens += completion.completion_tokens
        self._end += length


class Appender:
    """Writes completions to the end of a file."""

    def __init__(self, file: CompletionStore, handle: BinaryIO) -> None:
        self._file, self._handle, self._synced = file, handle, monotonic()

    def add(self, completion: Completion) -> None:
        """Write a completion before anything else happens to it.

        Raises: EngineError for one that could not be read back.
        """
        _check(completion)
        line = _sealed(encode_record(completion))
        self._handle.write(line)
        self._handle.flush()
        if monotonic() - self._synced > _SYNC_S:
            sync(self._handle)
            self._synced = monotonic()
        self._file._index(completion, len(line))


def _check(completion: Completion) -> None:
    """Raise EngineError for what no engine may answer: a record's types are checked when it is read."""
    told = (completion.text, completion.prompt_tokens, completion.completion_tokens)
    if completion.finish_reason not in FINISH_REASONS or tuple(map(type, told)) != _TYPES:
        raise EngineError(
            f"An engine answered {completion!r:.300}; expected a text, finish_reason "
            f"{' or '.join(map(repr, FINISH_REASONS))} and whole numbers of tokens. Mend the engine."
        )


def _sealed(line: bytes) -> bytes:
    """Return the line of an object with a checksum of what stands before it."""
    return b'%b,"crc":%d}\n' % (line[:-2], crc32(line[:-2]))


def _unsealed(line: bytes) -> bytes:
    """Return a line without its checksum, which older files have none of. Raises: DataError."""
    body, mark, told = line.rpartition(b',"crc":')
    if not mark:
        return line
    if told.strip() != b"%d}" % crc32(body):
        raise DataError(
            f"its checksum is not {told.strip()[:-1].decode(errors='replace')}: the line was changed"
        )
    return body + b"}"
