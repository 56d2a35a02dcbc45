"""Reading the verdict out of a judge's reply."""

import re
from collections.abc import Sequence
from typing import Literal

from ste_plugin.errors import PluginError
from ste_plugin.records import Verdict
from ste_plugin.text.thinking import split_thinking

Tie = Literal["tie"]
TIE: Tie = "tie"
Reading = Verdict | Tie | None
"""A verdict on a pair: a letter, that neither answer is better, or none."""
Said = Reading | float
"""What one reply says: a verdict on the answers that it compares, or the score of the one answer
that it was shown; None where it says nothing that can be read."""
VERDICTS: tuple[Verdict | Tie, ...] = ("A", "B", TIE)

MARK = re.compile(r"\[\[([AB])\]\]")
"""How a reply names a letter."""


def parse_verdict(text: str) -> Verdict | None:
    """Return the letter the judge preferred, or None when it gave no single answer.

    Thinking does not count, and thinking that never ends leaves no answer. Both letters named
    counts as no answer: a judge that names two winners named none. The same letter twice is one.

    >>> parse_verdict("B is vague. [[A]]")
    'A'
    >>> parse_verdict("[[A]], or rather [[B]]") is None
    True
    """
    letters = set(MARK.findall(split_thinking(text).said))
    if len(letters) != 1:
        return None
    return "A" if "A" in letters else "B"


def checked(reading: object) -> Reading:
    """Return what a format's `parse` returned. Raises: PluginError where it is no verdict."""
    for known in ("A", "B", TIE, None):
        if reading == known:
            return known
    raise PluginError(
        f"The judge format's parse returned {reading!r}; expected 'A', 'B', TIE (neither answer is "
        "better) or None (no single verdict). Fix the plugin."
    )


def letter_of(reading: Reading) -> Verdict | None:
    """Return the letter that a reply is for; a tie teaches as little as no verdict.

    Raises: PluginError where a format's `parse` returned no verdict.

    >>> letter_of("A"), letter_of("tie"), letter_of(None)
    ('A', None, None)
    """
    known = checked(reading)
    return None if known == TIE else known


def official_verdict(text: str) -> Verdict | None:
    """Return what RewardBench's own parser reads: A wherever [[A]] stands, and only then B.

    Thinking counts, and a reply with both letters is for A; for nothing but its official score.
    Source: process_judgement in allenai/reward-bench.

    >>> official_verdict("[[B]], or rather [[A]]")
    'A'
    """
    if "[[A]]" in text:
        return "A"
    return "B" if "[[B]]" in text else None


def without_verdicts(text: str, mark: re.Pattern[str] = MARK) -> str:
    """Return the reasoning of a reply with its verdict marks, and any unfinished thinking,
    removed."""
    said = split_thinking(text).said
    while mark.search(said):  # [[[[A]]A]] leaves another one
        said = mark.sub("", said)
    return said.strip()


def majority(votes: Sequence[Said]) -> Reading:
    """Return the verdict with the most votes; None where two have as many, or none has any.

    A vote that says tie is for that verdict; one without a verdict is for none.

    >>> majority(["A", None, None]), majority(["A", "B"]), majority(["A", "tie", "tie"])
    ('A', None, 'tie')
    """
    first, second = ranked(votes)[:2]
    return first if votes.count(first) > votes.count(second) else None


def ranked(votes: Sequence[Said]) -> list[Verdict | Tie]:
    """Return the verdicts, those with the most votes first."""
    return sorted(VERDICTS, key=votes.count, reverse=True)
