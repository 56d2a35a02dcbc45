"""Worse answers put together without a model call, from what an audit found to move a judge."""

from collections.abc import Callable
from dataclasses import dataclass

from ste_plugin.inference.requests import Prompt
from ste_plugin.pairs.calls import MadePair
from ste_plugin.pairs.restyling import (
    TRAINED,
    as_markdown,
    drawn,
    padded,
    sentences,
    with_authority,
    with_opener,
)
from ste_plugin.pairs.strategies import Answers, Instructions, OtherInstruction, Replies
from ste_plugin.records import Drop, Instruction, content_key

_VERSION = content_key(TRAINED.fillers, TRAINED.endings, TRAINED.headings, TRAINED.authorities)
_EMPTY_VERSION = content_key(TRAINED.openers, TRAINED.empty)


def _restyled(text: str, key: str) -> str:
    """Return an answer in Markdown, behind an authority, or behind an opener: by its key."""
    style = drawn(("markdown", "authority", "opener"), "style", key)
    if style == "markdown":
        return as_markdown(text, TRAINED, key)
    return (with_authority if style == "authority" else with_opener)(text, TRAINED, key)


def _padded(text: str, key: str) -> str:
    return padded(text, TRAINED, key)


@dataclass(frozen=True, slots=True)
class DressedUp:
    """The answer to another instruction of the category, made to look better than it is."""

    dress: Callable[[str, str], str]
    """Answer and key of the instruction → what is shown."""
    version: str = f"{_VERSION}-{_EMPTY_VERSION}"

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        other = OtherInstruction().worse(instruction, replies, better, pool)
        return other if isinstance(other, Drop) else self.dress(other, instruction.key)


@dataclass(frozen=True, slots=True)
class PaddedEither:
    """One of the two answers padded, by the instruction's key, so that length tells nothing.

    The worse one is that to another instruction. Where only worse answers are padded, a judge
    learns that what is long is worse.
    """

    version: str = _VERSION

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> MadePair | Drop:
        other, key = OtherInstruction().worse(instruction, replies, better, pool), instruction.key
        if isinstance(other, Drop):
            return other
        if drawn(("better", "worse"), "padded", key) == "worse":
            return MadePair(worse=_padded(other, key))
        return MadePair(worse=other, better=_padded(better[key], key))


@dataclass(frozen=True, slots=True)
class BorrowedOpening:
    """The better answer's first sentence, and then the answer to another instruction."""

    version: str = "1"

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        own = sentences(better[instruction.key])
        if len(own) < 2:  # it would hold the whole better answer
            return Drop("pairs", instruction.key, "better answer of a single sentence")
        other = OtherInstruction().worse(instruction, replies, better, pool)
        return other if isinstance(other, Drop) else f"{own[0]} {other}"


@dataclass(frozen=True, slots=True)
class EmptyOpener:
    """Nothing but an opener, a heading or a punctuation mark."""

    version: str = _EMPTY_VERSION

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        return drawn(TRAINED.empty, instruction.key)


CONSTRUCTED = {
    "padded-worse": DressedUp(_padded),
    "padded-either": PaddedEither(),
    "restyled-worse": DressedUp(_restyled),
    "borrowed-opening": BorrowedOpening(),
    "empty-opener": EmptyOpener(),
}
