"""The records that flow through a run, and the content keys that tie them together."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Literal, Self

import msgspec
import orjson

from ste_plugin.errors import DataError
from ste_plugin.text.turns import without_system

Verdict = Literal["A", "B"]
"""The letter of the response that a judge preferred."""

Split = Literal["train", "dev", "test"]

ORDERS: tuple[Verdict, Verdict] = ("A", "B")
"""Both presentation orders, named by the letter under which the better response is shown."""

OTHER: dict[Verdict, Verdict] = {"A": "B", "B": "A"}
"""Letter → the other one."""


# One encoder for all keys: creating one takes longer than encoding a short part.
_ascii = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode


def content_key(*parts: Any) -> str:
    """Return 16 hex digits that depend on every part and on nothing else.

    Parts are any JSON values; equal parts give equal keys on every machine.

    >>> content_key("a", 1) == content_key("a", 1) != content_key("a", 2)
    True
    """
    return key_of(canonical(parts))


def key_of(content: bytes) -> str:
    """Return the content key of parts given as canonical JSON."""
    return hashlib.sha256(content).hexdigest()[:16]


def key_of_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return `content_key` of a list of these rows, holding none.

    >>> key_of_rows(iter([{"a": 1}, {"b": 2}])) == content_key([{"a": 1}, {"b": 2}])
    True
    """
    digest = hashlib.sha256(b"[[")
    for number, row in enumerate(rows):
        digest.update(b"," * bool(number) + canonical(row))
    digest.update(b"]]")
    return digest.hexdigest()[:16]


def canonical(value: Any) -> bytes:
    """Return a value as ASCII JSON without spaces, keys sorted: content keys are hashes of this.

    The bytes are those of `json`; for texts and integers orjson writes the same ones ten times
    faster.
    """
    kind = type(value)
    if kind is str or kind is int:
        return canonical_texts(value)
    if kind is tuple or kind is list:
        if _TEXTS_AND_INTEGERS.issuperset(map(type, value)):
            return canonical_texts(value)
        return b"[%b]" % b",".join(map(canonical, value))
    if kind is float and isfinite(value):
        return repr(value).encode()
    return _ascii(value).encode()


_TEXTS_AND_INTEGERS = frozenset((str, int))


def canonical_texts(value: Any) -> bytes:
    """Return `canonical` of what holds nothing but texts and integers, in lists or on its own."""
    try:
        line = orjson.dumps(value)
    except TypeError:  # a lone surrogate, or a large integer
        return _ascii(value).encode()
    return line if line.isascii() and b"\x7f" not in line else _ascii(value).encode()


def _as_text(value: Any) -> str:
    """Return a text of a kind of its own as plain text. Raises: TypeError for anything else."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Base of all records: written to JSONL files, and read back with their types checked."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields under their names on disk, as JSON values, in declaration order.

        One that is unset is left out, as it is on disk.
        """
        values = zip(self.__struct_encode_fields__, msgspec.structs.astuple(self), strict=True)
        return {
            n: msgspec.to_builtins(value, enc_hook=_as_text)
            for n, value in values
            if value is not msgspec.UNSET
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """Return the record in `row`.

        Raises: DataError, naming a field that is missing, unknown or of another type.
        """
        try:
            return msgspec.convert(row, cls)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            raise DataError(f"not a {cls.__name__} ({error})") from error


class ChatTurn(Record, frozen=True):
    """What one side says in a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Turns = tuple[ChatTurn, ...]

Columns = tuple[tuple[str, Any], ...]
"""Names and JSON values."""


class Instruction(Record, frozen=True):
    """One unlabelled user instruction; it may be the whole conversation up to a user's turn."""

    key: str
    """Of the text; of the turns where there are some."""
    text: str
    """What was asked; of a conversation all its turns, as they are shown."""
    source: str
    """Where it was read: a file or data set and the line or id in it."""
    category: str = ""
    """Empty unless the source has one, or until it is labelled."""
    complexity: int = 0
    """1 (trivial) to 10 (expert); 0 until labelled."""
    expected_words: int = 0
    """Length of a good answer in words, as the labelling model expects it; 0 until labelled."""
    final_answer: str | msgspec.UnsetType = msgspec.UNSET
    """What a right answer ends with, as its source has it; in files only where it does."""
    turns: Turns | msgspec.UnsetType = msgspec.UNSET
    """The conversation up to a turn of the user; in files only where that is more than one turn."""
    columns: Columns | msgspec.UnsetType = msgspec.UNSET
    """Further columns of its row, for a judge format that shows them; in files only where it has
    some."""
    told: int | msgspec.UnsetType = msgspec.UNSET
    """How many characters of the text are the system's, above what the user asks; in files only
    where some are."""

    @property
    def last_turn(self) -> str:
        """Return what the user says last."""
        return self.turns[-1].content if self.turns else self.text

    @property
    def asked(self) -> str:
        """Return the text without what the system was told, which many may have in common."""
        return without_system(self.text[self.told or 0 :])

    @property
    def conversation(self) -> str:
        """Return the key of the instruction that the user's first turn would be alone.

        Turns of one conversation have it in common, whichever row they are read from; of a text
        that is the user's alone it is its own key.
        """
        if self.turns:
            opening = next(turn.content for turn in self.turns if turn.role == "user")
        elif self.told:
            opening = self.text[self.told :]
        else:
            return self.key
        return content_key("instruction", opening)


class ResponsePair(Record, frozen=True, omit_defaults=True):
    """Two responses to one instruction, the first better than the second by construction."""

    key: str
    """Of everything below."""
    instruction_key: str
    """Which instruction was answered."""
    instruction: str
    """Its text."""
    better: str
    """The answer to it."""
    worse: str
    """An answer that is worse by the way it was made."""
    strategy: str
    """How the pair was made; it names the subset in reports."""
    fault: str = ""
    """The wrong words in the worse response, where one fault was put into the better one."""
    correction: str = ""
    """What the better response has in their place."""
    worse_by: str = ""
    """The model that wrote the worse response, where that is not the generator."""
    conversation: str = ""
    """Key of what it shares its split with: the conversation that the instruction is a turn of, or
    another prompt that a given one nearly repeats; empty for a text that is the user's alone."""
    shown: Columns = ()
    """Columns of the instruction that the judge format shows, or chooses a rubric by."""

    @property
    def split_key(self) -> str:
        """Return the key of what stays together: `conversation`, or else the instruction."""
        return self.conversation or self.instruction_key

    @property
    def columns(self) -> dict[str, Any]:
        """Those columns by name."""
        return dict(self.shown)


class Judgment(Record, frozen=True, omit_defaults=True):
    """One sampled judgment of one pair, in one presentation order."""

    key: str
    """Of the completion that it was read from."""
    pair_key: str
    """Which pair was judged."""
    gold: Verdict = msgspec.field(name="better_is")
    """Letter under which the better response was shown."""
    sample_index: int
    """Which sample of the prompt it is, from 0."""
    text: str
    """What the judge said after any thinking, stripped; the training target if kept."""
    verdict: Verdict | None
    """None when the reply gave no single answer."""
    forced: bool
    """True when the verdict was completed from a prefix that the judge did not write."""
    thinking: str = ""
    """What it thought before, marks included; learnt unless `dataset.thinking` is `drop`."""

    @property
    def reply(self) -> str:
        """The whole reply, stripped: thinking and judgment, as training learns it."""
        return f"{self.thinking}{self.text}".strip()

    @property
    def correct(self) -> bool:
        """Whether the judge preferred the better response."""
        return self.verdict == self.gold


class Drop(Record, frozen=True):
    """Something that a stage dropped, and why."""

    stage: str
    """What was being made."""
    key: str
    """Of that which was left out, as far as it had come."""
    reason: str
    """Why, in words that reports count by."""
