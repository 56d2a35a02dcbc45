"""What a paired test of two judges takes: how many pairs, and what several tests cost each other.

Both are about McNemar's exact test, which asks whether the pairs that only one of two judges gets
right are split more unevenly than by a coin.
"""

from collections.abc import Sequence
from math import ceil, floor, log2, sqrt
from typing import NamedTuple

POWER = 0.8
"""How often a difference is to be found that is there."""


class Seen(NamedTuple):
    """What two judges did on the same pairs."""

    pairs: int
    won: int
    """Pairs that the second alone gets right."""
    lost: int
    interval: tuple[float, float] | None
    """95%, of the difference of their shares, clustered by prompt; None below two prompts."""


def pairs_needed(seen: Seen, level: float) -> int | None:
    """Return how many pairs McNemar's exact test takes to tell two judges apart, or None.

    Of so many pairs like these, of which as large shares are won and lost, the test finds the
    difference at this level in at least `POWER` of all sets. Pairs of one prompt count for less, by
    as much as the interval is wider for them (the design effect). More than there are pairs now;
    None where as many are won as lost, which no number of pairs would tell apart, or all are of one
    prompt.
    Source: Connor (1987), Sample size for testing differences in proportions for the paired-sample
    design; with the continuity correction of Fleiss, Levin and Paik (2003), as the test is exact.

    >>> pairs_needed(Seen(40, 8, 4, (-0.06, 0.26)), 0.05), pairs_needed(Seen(3, 3, 0, (1, 1)), 0.05)
    (253, 6)
    """
    from scipy.special import ndtri

    if seen.won == seen.lost or seen.interval is None:
        return None
    differ, gain = (seen.won + seen.lost) / seen.pairs, abs(seen.won - seen.lost) / seen.pairs
    errors: float = ndtri(1 - level / 2) * sqrt(differ) + ndtri(POWER) * sqrt(differ - gain**2)
    approximate = (errors / gain) ** 2
    exact = approximate / 4 * (1 + sqrt(1 + 4 / (approximate * gain))) ** 2
    fewest = (floor(log2(2 / level)) + 1) / differ  # fewer coins all alike are no rare thing
    needed = max(exact, fewest) * _design_effect(seen.interval, (differ - gain**2) / seen.pairs)
    return max(seen.pairs + 1, ceil(needed))


def _design_effect(interval: tuple[float, float], variance: float) -> float:
    """Return how many pairs tell as much as one would if no two shared a prompt; at least 1.

    `variance`: of the difference, if no two did.
    """
    clustered = ((interval[1] - interval[0]) / 2 / 1.96) ** 2
    return max(1.0, clustered / variance) if variance > 0 else 1.0


def needed_in_words(needed: int | None, level: float) -> str:
    """Return a sentence, behind a space, on how many pairs would tell; nothing where none would.

    >>> needed_in_words(234, 0.05).partition(" pairs")[0]
    ' A difference of this size takes about 240'
    """
    if needed is None:
        return ""
    unit = 10 ** max(0, len(str(needed)) - 2)  # more digits would claim to know the difference
    pairs = -(-needed // unit) * unit
    return (
        f" A difference of this size takes about {pairs:,} pairs to be seen (McNemar's test at "
        f"{level:.2g}, power {POWER:g})."
    )


def holm(ps: Sequence[float]) -> list[float]:
    """Return p-values corrected after Holm: by them, one false alarm in all is as likely as each
    says.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, ps[i] * (len(ps) - rank)))
        corrected[i] = highest
    return corrected
