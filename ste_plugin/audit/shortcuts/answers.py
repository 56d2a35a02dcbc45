"""The answers of pairs, each different text once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ste_plugin.audit.shortcuts.area import Integers
from ste_plugin.audit.shortcuts.signs import words_of
from ste_plugin.records import ResponsePair


@dataclass(frozen=True, slots=True)
class Answers:
    """What is looked at of pairs.

    Each text is there once: how rare a word is must not depend on how many pairs have an answer. A
    worse answer that is a better one elsewhere is in two pairs at least, and would be known by it.
    """

    texts: list[str]
    words: list[list[str]]
    """Of each text."""
    better: Integers
    """Of each pair, the number of its better answer's text, from 0."""
    worse: Integers
    groups: Integers
    """The instruction of each pair, from 0."""


def answers_of(pairs: Sequence[ResponsePair]) -> Answers:
    """Return the answers of pairs."""
    known: dict[str, int] = {}
    better, worse = (
        np.array([known.setdefault(text, len(known)) for text in texts], np.int64)
        for texts in ([p.better for p in pairs], [p.worse for p in pairs])
    )
    keys = [pair.instruction_key for pair in pairs]
    return Answers(
        texts=list(known),
        words=[words_of(text) for text in known],
        better=better,
        worse=worse,
        groups=np.unique(keys, return_inverse=True)[1],
    )
