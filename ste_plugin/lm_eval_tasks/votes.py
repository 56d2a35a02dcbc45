"""Several samples of one prompt: their majority, and what fewer of them would have said."""

from collections import Counter
from collections.abc import Sequence
from math import comb, log2

from ste_plugin.records import Verdict
from ste_plugin.sampling.stopping_rules import Counts, until_decided

Votes = Sequence[Verdict | None]


def majority(votes: Votes) -> Verdict | None:
    """Return the letter with more votes; None for a tie. A vote without a verdict is for neither.

    >>> majority(["A", None, None]), majority(["A", "B"])
    ('A', None)
    """
    a, b = votes.count("A"), votes.count("B")
    if a == b:
        return None
    return "A" if a > b else "B"


def next_wave(votes: Votes, asked: int) -> int:
    """Return how many more of `asked` samples to draw at once; 0 when the majority is settled."""
    return until_decided(Counts(*(votes.count(vote) for vote in ("A", "B", None))), asked)


def always_drawn(asked: int) -> int:
    """Return how many samples early stopping draws whatever they say: these are a fair sample."""
    return asked // 2 + 1


def expected_majority(votes: Votes, right: Verdict, j: int) -> float:
    """Return the mean accuracy of the majority of `j` of these votes, over all ways to choose them.

    Exact; a tie, as of votes without a verdict, counts one half. `j` is at most `len(votes)`.
    """
    good, missing = votes.count(right), votes.count(None)
    bad = len(votes) - good - missing
    doubled = sum(
        comb(good, g) * comb(bad, b) * comb(missing, j - g - b) * (1 + (g > b) - (g < b))
        for g in range(j + 1)
        for b in range(j - g + 1)
    )
    return doubled / (2 * comb(len(votes), j))


def entropy_of(votes: Votes) -> float:
    """Return the entropy of the votes in bits: 0 when all agree, at most log2(3).

    No verdict is a vote, too.

    >>> entropy_of(["A", "B"])
    1.0
    """
    counts = Counter(votes).values()
    return sum(n / len(votes) * log2(len(votes) / n) for n in counts)
