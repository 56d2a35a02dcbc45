"""The area under the ROC curve of a text-blind classifier of pairs, with its interval."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Area(NamedTuple):
    """How well scores tell the better answer."""

    auc: float
    """0.5 is chance, 1 is always. Each pair counts in both orientations."""
    interval: tuple[float, float]
    """95%, clustered by instruction."""
    told: float
    """Share of the pairs whose better answer has the higher score; ties count half."""


_REFITTED = 2.0
"""Variance of cross-validated scores over that of one classifier's: the folds' are fitted to mostly
the same pairs. `python -m benchmarks errors` counts how often the interval holds chance with it."""


def area_of(scores: Floats, groups: Integers, *, are_fitted: bool = True) -> Area:
    """Return the area of pairs' scores, positive where the better answer is taken for better.

    `groups`: the instruction of each pair, from 0. `are_fitted`: the scores are cross-validated,
    not a measure as it is.

    Both orientations of a pair are cases, of opposite scores, so the area is the share of all two
    pairs whose scores add up to more than 0. Its variance is that of the mean of each pair's share,
    summed by instruction (DeLong's for clustered data; Obuchowski 1997), times `_REFITTED`; the
    interval that of Student's t on the logit scale. Where the scores separate without an exception,
    there is no such variance: the interval is from what would be seen with a chance of 2.5 %.
    """
    shares = _shares(scores)
    auc = float(shares.mean())
    told = float(np.mean((np.sign(scores) + 1) / 2))
    return Area(auc, _interval(auc, shares, groups, _REFITTED if are_fitted else 1.0), told)


def _shares(scores: Floats) -> Floats:
    """Return for each score the share of all scores that, added to it, are above 0."""
    ranked = np.sort(scores)
    above = len(scores) - np.searchsorted(ranked, -scores, side="right")
    tied = len(scores) - np.searchsorted(ranked, -scores, side="left") - above
    return np.asarray((above + tied / 2) / len(scores), np.float64)


def _interval(
    auc: float, shares: Floats, groups: Integers, inflation: float
) -> tuple[float, float]:
    sums = np.bincount(groups, weights=2 * (shares - auc))
    count = len(sums)
    variance = inflation * float(np.sum(sums**2)) / len(shares) ** 2 * count / (count - 1)
    if not 0 < auc < 1:
        surprising = 0.025 ** (2 / count)  # two pairs are needed to add up
        return (surprising, 1.0) if auc else (0.0, 1 - surprising)
    logit = np.log(auc / (1 - auc))
    reach = stats.t.ppf(0.975, count - 1) * np.sqrt(variance) / (auc * (1 - auc))
    low, high = 1 / (1 + np.exp(-np.array([logit - reach, logit + reach])))
    return float(low), float(high)
