"""Lines of a run's files, with the places where they are: what cannot be read is counted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

Advance = Callable[[int], object]
"""Is told how many bytes were read since it was last told."""
_STEP_BYTES = 1 << 24


@dataclass
class Lines(Generic[T]):
    """The lines of one file that are a `kind`, as far as it was read."""

    path: Path
    kind: type[T]
    unreadable: int = 0
    """Lines that are something else, or damaged."""
    first_unreadable: int = 0
    """The number of the first of these, from 1."""

    def read(self, advance: Advance) -> Iterator[tuple[T, int, int]]:
        """Yield (what is on a line, its place, its size in bytes), of each line that can be read.

        A last line without its end is what somebody writes at this moment, and no damage.
        """
        decode = msgspec.json.Decoder(self.kind).decode
        start = told = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                size = len(line)
                try:
                    yield decode(line), start, size
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    if line.strip() and line.endswith(b"\n"):
                        self.unreadable += 1
                        self.first_unreadable = self.first_unreadable or number
                start += size
                if start - told >= _STEP_BYTES:
                    advance(start - told)
                    told = start
        advance(start - told)


class PairLine(msgspec.Struct, gc=False):
    """What the index takes of a line of pairs.jsonl."""

    key: str
    strategy: str


class HeldOutLine(msgspec.Struct, gc=False):
    """What it takes of a held-out pair."""

    id: str


class JudgmentLine(msgspec.Struct, gc=False):
    """What it takes of a judgment."""

    pair_key: str
    better_is: str
    sample_index: int
    verdict: str | None
    forced: bool = False


class _Document(msgspec.Struct, gc=False):
    id: str


class SampleLine(msgspec.Struct, gc=False):
    """What it takes of what lm-eval logged."""

    doc: _Document


class JudgedLine(msgspec.Struct, gc=False):
    """What it takes of a line of judged.jsonl: a pair's, or a row's of RewardBench 2."""

    id: str
    subset: str = ""
    section: str = ""
    shown: tuple[str, ...] = ()
    verdict_a: str | None = None
    verdict_b: str | None = None
    forced_a: str | None = None
    forced_b: str | None = None
    samples_a: tuple[str | None, ...] = ()
    samples_b: tuple[str | None, ...] = ()
    votes: tuple[int, ...] = (1, 0, 0)
    drawn: int = 0
    fits: bool = True
    points: float | None = None
