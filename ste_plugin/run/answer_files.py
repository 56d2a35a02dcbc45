"""Files of batch answers, found by what they answer; memory holds where each line starts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ste_plugin.engines.http.batch import (
    CallId,
    Response,
    UnansweredCall,
    read_response,
    refused_reply,
)
from ste_plugin.errors import DataError
from ste_plugin.inference.offsets import ABSENT, Offsets
from ste_plugin.storage.jsonl import parse_line
from ste_plugin.storage.line_reader import LineReader

_MANY = 8
"""Refused prompts, and not one answer, from which on it is not the prompts."""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One line."""

    where: str
    """`FILE:LINE`."""
    custom_id: str
    call: CallId | None
    """What it answers; None for a line that is of no request of ours."""
    response: Response


class AnswerFiles:
    """The lines of several files, with all answers to a request in order."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read all lines.

        Raises: DataError naming file and line where that is no line of answers, or where all
        prompts are refused.
        """
        self._paths = list(paths)
        self._offsets, self._lines = [Offsets()], LineReader(*self._paths)
        # where the first answers to requests start, then the second ones, and so on
        self.problems: dict[str, str] = {}
        """`custom_id` → where it is, and why it is no answer."""
        self.cut_off: dict[int, str] = {}
        """Number of a file → its last line, where that is not whole: the file is still written."""
        self.count = 0
        """Lines that are whole."""
        self._index()

    def find(self, prompt: int, sample: int) -> Iterator[AnswerRow]:
        """Yield the lines that answer a sample of a prompt."""
        for offsets in self._offsets:
            offset = offsets.get(prompt, sample)
            if offset == ABSENT:
                return
            yield _parse(self._lines.path(offset), 0, self._lines.read(offset))

    def answers(self) -> Iterator[AnswerRow]:
        """Yield all lines that hold an answer, in order."""
        return (row for _, row in self._rows() if row.custom_id not in self.problems)

    def close(self) -> None:
        """Close the files."""
        self._lines.close()

    def _rows(self) -> Iterator[tuple[int, AnswerRow]]:
        """Yield (number of the file and offset in it as one number, line)."""
        for file, path in enumerate(self._paths):
            end = LineReader.place(file, 0)
            for number, line in enumerate(_lines(path), start=1):
                start, end = end, end + len(line)
                if not line.endswith(b"\n") and not _is_whole(path, line):
                    self.cut_off[file] = f"{path}:{number}"
                elif line.strip():
                    yield start, _parse(path, number, line)

    def _index(self) -> None:
        answered, refused, first_refused = 0, 0, ""
        for offset, row in self._rows():
            self.count += 1
            try:
                if refusal := row.response.refusal:
                    refused_reply(refusal)
                    refused, first_refused = refused + 1, first_refused or row.where
                else:
                    answered += 1
            except UnansweredCall as problem:
                if not self._holds(row.call):
                    self.problems.setdefault(row.custom_id, f"{row.where}: {problem}")
                continue
            self.problems.pop(row.custom_id, None)
            self._add(row.call, offset)
        if refused >= _MANY and not answered:
            raise DataError(
                f"{first_refused}: all {refused} prompts of the given files are refused, as too "
                "long for the model's context or by a filter, and none is answered. Nothing was "
                "imported. Give these files together with the others of the wave; where there are "
                "none, lower judging.max_new_tokens or pairs.max_new_tokens, or raise the server's "
                "context."
            )

    def _holds(self, call: CallId | None) -> bool:
        return call is not None and self._offsets[0].get(call.prompt, call.first) != ABSENT

    def _add(self, call: CallId | None, start: int) -> None:
        if call is None:
            return
        for sample in call.samples:
            for offsets in self._offsets:
                if offsets.add(call.prompt, sample, start):
                    break
            else:
                self._offsets.append(Offsets())
                self._offsets[-1].add(call.prompt, sample, start)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); expected answers of a batch, one JSON "
            "object a line."
        ) from error


def _is_whole(path: Path, line: bytes) -> bool:
    try:
        parse_line(path, 0, line)
    except DataError:
        return False
    return True


def _parse(path: Path, number: int, line: bytes) -> AnswerRow:
    row: dict[str, Any] = parse_line(path, number, line.strip())
    where = f"{path}:{number}" if number else str(path)
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str) or not {"response", "error"} & row.keys():
        hint = " These are the requests: give what came back." if "body" in row else ""
        raise DataError(
            f"{where}: expected an answer of a batch (custom_id, response, error), found "
            f"{', '.join(sorted(map(str, row))) or 'nothing'}.{hint}"
        )
    return AnswerRow(where, custom_id, CallId.parse(custom_id), read_response(row))
