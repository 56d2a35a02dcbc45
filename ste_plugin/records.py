"""The records that flow through a run, and the content keys that tie them together."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self

from ste_plugin.errors import DataError

Verdict = Literal["A", "B"]
"""The letter of the response that a judge preferred."""

Split = Literal["train", "dev", "test"]

ORDERS: tuple[Verdict, Verdict] = ("A", "B")
"""Both presentation orders, named by the letter under which the better response is shown."""


# One encoder for all keys: making one takes longer than encoding a short part.
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode


def content_key(*parts: Any) -> str:
    """Return 16 hex digits that depend on every part and on nothing else.

    Parts are anything that JSON can hold; equal parts give equal keys on every machine.

    >>> content_key("a", 1) == content_key("a", 1) != content_key("a", 2)
    True
    """
    return hashlib.sha256(_canonical(parts).encode()).hexdigest()[:16]


_NAMES: dict[type, tuple[str, ...]] = {}
_NAME_SETS: dict[type, frozenset[str]] = {}


def _names(kind: type["Record"]) -> tuple[str, ...]:
    if kind not in _NAMES:
        _NAMES[kind] = tuple(f.name for f in fields(kind))
        _NAME_SETS[kind] = frozenset(_NAMES[kind])
    return _NAMES[kind]


@dataclass(frozen=True, slots=True)
class Record:
    """What all records share: a place in a JSONL file and back."""

    kind: ClassVar[str] = "record"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, in declaration order."""
        return {name: getattr(self, name) for name in _names(type(self))}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """Return the record that `row` holds.

        Raises: DataError, naming the fields that are missing or unknown.
        """
        names = _names(cls)
        if row.keys() != _NAME_SETS[cls]:
            found = [f"missing {m!r}" for m in sorted(set(names) - set(row))]
            found += [f"unknown {u!r}" for u in sorted(set(row) - set(names))]
            raise DataError(f"not a {cls.__name__} ({', '.join(found)})")
        return cls(**row)


@dataclass(frozen=True, slots=True)
class Instruction(Record):
    """One unlabelled user instruction."""

    key: str
    text: str
    source: str
    """Where it was read: a file or data set and the line or id in it."""
    category: str = ""
    """Empty until a source or a selector says."""
    complexity: int = 0
    """1 (trivial) to 10 (expert); 0 until labelled."""
    expected_words: int = 0
    """Length of a good answer in words, as the labelling model expects it; 0 until labelled."""


@dataclass(frozen=True, slots=True)
class ResponsePair(Record):
    """Two responses to one instruction, the first better than the second by construction."""

    key: str
    instruction_key: str
    instruction: str
    better: str
    worse: str
    strategy: str
    """How the worse response was made; it names the subset in reports."""


@dataclass(frozen=True, slots=True)
class Judgment(Record):
    """One sampled opinion on one pair, in one presentation order."""

    key: str
    pair_key: str
    better_is: Verdict
    """Letter under which the better response was shown."""
    sample_index: int
    text: str
    """The whole reply, stripped; the training target if kept."""
    verdict: Verdict | None
    """None when the reply gave no single answer."""
    forced: bool
    """True when the closing words were put in the judge's mouth."""

    @property
    def correct(self) -> bool:
        """Whether the judge preferred the better response."""
        return self.verdict == self.better_is


@dataclass(frozen=True, slots=True)
class Drop(Record):
    """Something that was left out, and why."""

    stage: str
    key: str
    reason: str
