"""An interval of a mean that holds however often one looks, and how much more data would decide.

Whoever is told "inconclusive" labels more and looks again. An interval for one look is then wrong
far more often than it says: each look is another chance. This one is wrong at most once in twenty
times over all looks together, at any number of cases, whatever their distribution between 0 and 1.

It is a test by betting: whoever bets that the mean is not `m`, at odds that would be fair if it
were, multiplies the stake by 20 with a chance of at most 1/20, ever. Bets of all sizes are held at
once, so that neither the order of the cases counts nor anything has to be tuned; of outcomes that
are 0 or 1 it is the beta-binomial mixture.

Source: Ville 1939; Robbins 1970; Waudby-Smith & Ramdas 2024, Estimating means of bounded random
variables by betting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LEVEL = 0.05
BETS = 256
"""Sizes of bets. The interval holds with any number of them."""
MOST = 10**7
"""More cases than this are as good as never."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Values between 0 and 1, and how often each was seen."""

    values: Array
    counts: Array

    @classmethod
    def of(cls, values: Sequence[float]) -> "Cases":
        """Return these values, counted. Raises: ValueError for one outside of 0 to 1."""
        if any(not 0 <= value <= 1 for value in values):
            raise ValueError("values are between 0 and 1")
        return cls(*np.unique(np.array(values, dtype=float), return_counts=True))

    @property
    def mean(self) -> float:
        return float((self.values * self.counts).sum() / self.counts.sum())

    def gains(self, mean: float) -> Array:
        """Return the logarithm of what each bet against this mean has multiplied its stake by.

        A bet is on another mean `p`: a case of 1 pays p/mean, one of 0 (1-p)/(1-mean), and what
        lies between pays in proportion.
        """
        bets = (np.arange(BETS) + 0.5) / BETS
        paid = np.outer(self.values, bets / mean) + np.outer(
            1 - self.values, (1 - bets) / (1 - mean)
        )
        gains: Array = self.counts @ np.log(paid)
        return gains

    def evidence(self, mean: float, times: float = 1.0) -> float:
        """Return the logarithm of what all bets against a mean have multiplied the stake by.

        `times`: as if each value had been seen so often as often as it was.
        """
        gains = times * self.gains(mean)
        highest = gains.max()
        return float(highest + np.log(np.exp(gains - highest).mean()))

    def excludes(self, mean: float, level: float = LEVEL) -> bool:
        """Return whether the interval leaves out this mean."""
        return self.evidence(mean) >= log(1 / level)


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of the mean; all of 0 to 1 where there is no value.

    It is one, as the evidence is a convex function of the mean.
    """
    if not values:
        return 0.0, 1.0
    cases = Cases.of(values)
    near = min(max(cases.mean, 1e-9), 1 - 1e-9)
    return _end(cases, near, 0.0, level), _end(cases, near, 1.0, level)


def _end(cases: Cases, near: float, far: float, level: float) -> float:
    """Return the mean farthest from the cases' own, towards `far`, that is not left out."""
    inner, outer = near, far
    for _ in range(34):
        middle = (inner + outer) / 2
        if 1e-12 < middle < 1 - 1e-12 and cases.excludes(middle, level):
            outer = middle
        else:
            inner = middle
    return far if abs(inner - far) < 1e-9 else outer


def cases_needed(values: Sequence[float], threshold: float, level: float = LEVEL) -> int | None:
    """Return how many cases in all would decide on which side the mean is, if more are like these.

    About: by then it is decided in half of all cases. None where 10 million would not.
    """
    if not values:
        return None
    cases, needed = Cases.of(values), log(1 / level)
    low, high = 1.0, MOST / len(values)
    if cases.evidence(threshold, high) < needed:
        return None
    while high - low > 0.5 / len(values):
        middle = (low + high) / 2
        enough = cases.evidence(threshold, middle) >= needed
        low, high = (low, middle) if enough else (middle, high)
    return int(np.ceil(high * len(values) - 1e-9))
