"""What the stages of a cascade said of one pair, and what the cascade makes of it."""

from collections.abc import Sequence
from math import log2
from typing import Literal, NamedTuple, get_args

from ste_plugin.judge.comparison import Comparison, Tokens
from ste_plugin.records import Record

StageName = Literal["decision", "reasoning", "vote"]
STAGES: tuple[StageName, ...] = get_args(StageName)
"""In the order in which they are asked."""

_ROUNDING = 1e-9


def entropy(probability: float) -> float:
    """Return the entropy of a preference in bits: 0 where it is sure, 1 where it is even.

    >>> entropy(0.5), entropy(1.0)
    (1.0, 0.0)
    """
    return -sum(p * log2(p) for p in (probability, 1 - probability) if p > 0) + 0.0


def decision_entropy(comparison: Comparison) -> float | None:
    """Return the entropy of a preference averaged over both orders; None without a verdict.

    None, too, where its probability is a share of replies: that of one reply is always sure.
    """
    if comparison.verdict is None or comparison.probability_from != "likelihoods":
        return None
    if comparison.probability is None:
        return None
    return entropy(comparison.probability)


def is_settled(decision: float | None, threshold: float) -> bool:
    """Return whether a decision of this entropy is the answer; both in bits."""
    return decision is not None and decision <= threshold + _ROUNDING


class Setting(Record, frozen=True, order=True):
    """How far a cascade goes, and when its first stage is believed."""

    deepest: StageName
    """The last stage that may be asked; behind it the cascade abstains."""
    threshold: float
    """Most entropy of a decision that is believed, in bits."""

    @property
    def depth(self) -> int:
        """How many stages may be asked."""
        return 1 + STAGES.index(self.deepest)


class Outcome(NamedTuple):
    """What the stages said of one labelled pair."""

    key: str
    """Of the pair."""
    subset: str
    prompt: str
    """What pairs of one prompt have in common."""
    entropy: float | None
    """Of the decision, in bits; None where its orders differ or it says nothing."""
    right: Sequence[bool | None]
    """Of each stage asked: whether its verdict is that of the label; None where it gives none."""
    tokens: Sequence[Tokens]
    """Of each stage asked."""
    labelled: bool = True
    """Whether the label prefers one answer, so that a verdict can be right or wrong."""


class Answer(NamedTuple):
    """What a cascade makes of a pair."""

    stage: StageName | None
    """Which stage answers; None where it abstains."""
    right: bool | None
    tokens: Tokens


def answer(outcome: Outcome, setting: Setting) -> Answer:
    """Return what a cascade of this setting makes of a pair."""
    spent = Tokens()
    for place, name in enumerate(STAGES[: setting.depth]):
        if place == len(outcome.right):  # a stage that was not needed is not asked
            break
        spent = spent.plus(outcome.tokens[place])
        said = outcome.right[place]
        if place == 0 and not is_settled(outcome.entropy, setting.threshold):
            continue
        if said is not None:
            return Answer(name, said, spent)
    return Answer(None, None, spent)
