"""Several samples of one prompt: their majority, and what fewer of them would have said."""

from collections import Counter
from collections.abc import Sequence
from math import comb, log2

from ste_plugin.judging.verdict import TIE, Said, majority, ranked
from ste_plugin.records import OTHER, Verdict
from ste_plugin.sampling.stopping_rules import Counts, until_decided

Votes = Sequence[Said]


def ended_equal(votes: Votes) -> bool:
    """Return whether verdicts were given, and no single one most often."""
    return majority(votes) is None and any(votes)


def next_wave(votes: Votes, asked: int) -> int:
    """Return how many more of `asked` samples to draw at once; 0 when the majority is settled."""
    first, second = (votes.count(verdict) for verdict in ranked(votes)[:2])
    return until_decided(Counts(first, second, len(votes) - first - second), asked)


def always_drawn(asked: int) -> int:
    """Return how many samples early stopping draws whatever they say: these are a fair sample."""
    return asked // 2 + 1


def expected_majority(votes: Votes, right: Verdict, j: int) -> float:
    """Return the mean accuracy of the majority of `j` of these votes, over all ways to choose them.

    Exact; all but a single most frequent letter counts one half. `j` is at most `len(votes)`.
    """
    kinds = (right, OTHER[right], TIE, None)
    good, bad, ties, missing = (votes.count(kind) for kind in kinds)
    doubled = sum(
        comb(good, g)
        * comb(bad, b)
        * comb(ties, t)
        * comb(missing, j - g - b - t)
        * (1 + (g > max(b, t)) - (b > max(g, t)))
        for g in range(min(good, j) + 1)
        for b in range(min(bad, j - g) + 1)
        for t in range(min(ties, j - g - b) + 1)
    )
    return doubled / (2 * comb(len(votes), j))


MOST_ENTROPY = 2.0
"""Bits: of two letters, a tie and no verdict, each as often."""


def entropy_of(votes: Votes) -> float:
    """Return the entropy of the votes in bits: 0 when all agree, at most 2.

    No verdict is a vote, too.

    >>> entropy_of(["A", "B"])
    1.0
    """
    counts = Counter(votes).values()
    return sum(n / len(votes) * log2(len(votes) / n) for n in counts)
