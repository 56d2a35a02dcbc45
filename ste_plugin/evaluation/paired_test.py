"""The paired test of two judges, how many pairs it takes, and what several tests cost each other.

It asks whether the pairs that only one of two judges gets right are split more unevenly than by a
coin that is tossed once for each prompt. Of one pair per prompt it is McNemar's exact test.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import ceil, floor, log2, sqrt
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ste_plugin.evaluation.judges import Outcome
from ste_plugin.records import content_key

if TYPE_CHECKING:
    import numpy as np

POWER = 0.8
"""How often a difference is to be found that is there."""
_RESAMPLES, _EXACT = 20_000, 14
_ROWS_AT_ONCE = 2000


def name_of(pairs: int, prompts: int) -> str:
    """Return what the test is called, of so many pairs of so many prompts."""
    return "McNemar's exact test" if pairs == prompts else "sign-flip test by prompt"


def won_by_prompt(first: Sequence[Outcome], second: Sequence[Outcome]) -> list[float]:
    """Return of each prompt how many of its pairs the second judge alone gets right, minus how many
    the first alone does.
    """
    won: dict[str, float] = defaultdict(float)
    for a, b in zip(first, second, strict=True):
        won[a.prompt_key] += float(b.right) - float(a.right)
    return list(won.values())


def sign_flip_p(sums: Sequence[float], test: Literal["more", "either"], seed: int) -> float:
    """Return how often the sum is as large, or as far from 0, where each sign is a coin's.

    All signs are gone through of few prompts; of more that moved equally far, as where each has one
    pair, their number is counted; else there are 20,000 draws by the seed.
    """
    import numpy as np

    moved = np.array([s for s in sums if s], dtype=float)
    if not len(moved):
        return 1.0
    observed = moved.sum()
    if len(moved) <= _EXACT:
        bits = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1
        drawn = (2.0 * bits - 1) @ moved
        return _share(drawn, observed, test, 0)
    # of as many as are as large, how many are turned one way is all that counts
    sizes, counts = np.unique(np.round(np.abs(moved), 9), return_counts=True)
    if len(sizes) == 1:
        return _of_coins(int((moved > 0).sum()), len(moved), test)
    generator = np.random.default_rng([seed, int(content_key("sign flips")[:8], 16)])
    parts = [
        (2.0 * generator.binomial(counts, 0.5, (_ROWS_AT_ONCE, len(counts))) - counts) @ sizes
        for _ in range(_RESAMPLES // _ROWS_AT_ONCE)
    ]
    return _share(np.concatenate(parts), observed, test, 1)


def _share(drawn: "np.ndarray[Any, Any]", observed: float, test: str, added: int) -> float:
    import numpy as np

    beyond = np.abs(drawn) >= abs(observed) - 1e-9 if test == "either" else drawn >= observed - 1e-9
    return float((beyond.sum() + added) / (len(drawn) + added))


def _of_coins(heads: int, coins: int, test: str) -> float:
    """Return how likely so many heads, or a split as uneven, are of fair coins."""
    from scipy.special import bdtr

    if test == "more":
        return float(bdtr(coins - heads, coins, 0.5))
    return min(1.0, 2 * float(bdtr(min(heads, coins - heads), coins, 0.5)))


class Seen(NamedTuple):
    """What two judges did on the same pairs."""

    pairs: int
    won: int
    """Pairs that the second alone gets right."""
    lost: int
    interval: tuple[float, float] | None
    """95%, of the difference of their shares, clustered by prompt; None below two prompts."""


def pairs_needed(seen: Seen, level: float) -> int | None:
    """Return how many pairs the test takes to tell two judges apart, or None.

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


def needed_in_words(needed: int | None, level: float, test: str) -> str:
    """Return a sentence, behind a space, on how many pairs would tell; nothing where none would.

    >>> needed_in_words(234, 0.05, name_of(40, 40)).partition(" pairs")[0]
    ' A difference of this size takes about 240'
    """
    if needed is None:
        return ""
    unit = 10 ** max(0, len(str(needed)) - 2)  # more digits would claim to know the difference
    pairs = -(-needed // unit) * unit
    return (
        f" A difference of this size takes about {pairs:,} pairs to be seen ({test} at "
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
