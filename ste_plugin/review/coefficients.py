"""Coefficients of agreement beyond chance, from sums over items, with bootstrapped intervals.

A coefficient is (observed - expected) / (1 - expected) agreement, which differ in what they expect
of chance. As sums they are computed for the data and for all resamples by the same lines, and can
be weighted, which krippendorff, scikit-learn and irrCAC cannot; the tests hold them to all three.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ste_plugin.lm_eval_tasks.bootstrap import RESAMPLES, resampled_sums, rounded
from ste_plugin.records import Record
from ste_plugin.review.rates import ONE_CLUSTER, Estimate

Array = np.ndarray[Any, Any]
SEED = 0
_NOTHING = 1e-12
LARGEST_UNDEFINED = 0.05
"""Largest share of resamples without a value, as where one category is left, that an interval is
given for."""
ONE_CATEGORY = "every rating is the same category, so that chance agrees as often"
ALL_ALIKE = "the same whatever prompts are drawn, as one of them always says the same or few differ"
UNSTABLE = "undefined in too many resamples, as a category is so rare"


class Coefficient(Record, frozen=True):
    """Agreement beyond what chance would give: 1 for perfect, 0 for that of chance."""

    value: float | None
    interval: tuple[float, float] | None
    """95%, bootstrapped by prompt; where all agree, from Wilson's interval of raw agreement."""
    expected: float | None
    """Raw agreement that chance would give: the base rate to read the value beside."""
    why: str = ""
    """Why there is no value, or no interval."""


class Row(NamedTuple):
    """What one item adds to the sums of a coefficient."""

    cluster: str
    weight: float
    sums: Array


Formula = Callable[[Array], tuple[Array, Array]]
"""From sums (… x sums) to observed and expected agreement (…)."""


def kappa_sums(first: int, second: int, categories: int) -> Array:
    """Return what an item with these categories by two raters adds to Cohen's kappa."""
    sums = np.zeros(categories**2)
    sums[first * categories + second] = 1
    return sums


def kappa(sums: Array) -> tuple[Array, Array]:
    """Cohen's kappa: chance keeps each rater's own rates.

    Source: Cohen 1960, A coefficient of agreement for nominal scales.
    """
    size = round(sums.shape[-1] ** 0.5)
    shares = (sums / sums.sum(axis=-1, keepdims=True)).reshape(*sums.shape[:-1], size, size)
    expected = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    return np.trace(shares, axis1=-2, axis2=-1), expected


def ac1_sums(counts: Array) -> Array:
    """Return what an item whose categories were given this often adds to Gwet's AC1."""
    given = counts.sum()
    paired = given >= 2
    observed = (counts * (counts - 1)).sum() / (given * (given - 1)) if paired else 0.0
    return np.array([observed, float(paired), 1.0, *(counts / given)])


def ac1(sums: Array) -> tuple[Array, Array]:
    """Gwet's AC1: chance agrees on the items that are hard to tell, at most 1 in `categories`.

    Source: Gwet 2008, Computing inter-rater reliability and its variance in the presence of high
    agreement; 2014, Handbook of Inter-Rater Reliability, 4th edition (missing ratings).
    """
    shares = sums[..., 3:] / sums[..., 2:3]
    categories = shares.shape[-1]
    chance = (shares * (1 - shares)).sum(axis=-1) / (categories - 1 or np.nan)
    return sums[..., 0] / sums[..., 1], chance


def alpha_sums(counts: Array) -> Array:
    """Return what an item with two ratings or more adds to Krippendorff's alpha."""
    same = (counts * (counts - 1)).sum() / (counts.sum() - 1)
    return np.array([same, *counts])


def alpha(sums: Array) -> tuple[Array, Array]:
    """Krippendorff's alpha, nominal: chance deals the given ratings out anew.

    Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability.
    """
    counts = sums[..., 1:]
    n = counts.sum(axis=-1)
    return sums[..., 0] / n, (counts * (counts - 1)).sum(axis=-1) / (n * (n - 1))


def coefficient(rows: Sequence[Row], formula: Formula, raw: Estimate) -> Coefficient:
    """Return a coefficient of items; `raw` is their raw agreement."""
    if raw.value is None:
        return Coefficient(None, None, None, raw.why)
    scale = len(rows) / sum(row.weight for row in rows)  # alpha counts the ratings that there are
    clusters: dict[str, Array] = {}
    for row in rows:
        added = clusters.get(row.cluster, 0) + row.sums * (row.weight * scale)
        clusters[row.cluster] = added
    sums = np.array(list(clusters.values()))
    sums = sums[np.lexsort(sums.T[::-1])]  # whatever the items are called
    value, expected = map(float, _values(sums.sum(axis=0), formula))
    if np.isnan(value):
        return Coefficient(None, None, None if np.isnan(expected) else expected, ONE_CATEGORY)
    interval, why = _interval(sums, formula, raw, expected)
    return Coefficient(rounded(value), interval, rounded(expected), why)


def _values(sums: Array, formula: Formula) -> tuple[Array, Array]:
    """Return the coefficient, NaN where it is undefined, and the expected agreement."""
    with np.errstate(divide="ignore", invalid="ignore"):
        observed, expected = formula(sums)
        left = np.where(1 - expected > _NOTHING, 1 - expected, np.nan)
        return (observed - expected) / left, expected


def _interval(
    sums: Array, formula: Formula, raw: Estimate, expected: float
) -> tuple[tuple[float, float] | None, str]:
    if len(sums) < 2 or raw.interval is None:
        return None, ONE_CLUSTER
    if raw.value == 1:  # every resample agrees, however few items there are
        return (_possible((raw.interval[0] - expected) / (1 - expected)), 1.0), ""
    values, _ = _values(resampled_sums(SEED, "agreement", sums), formula)
    defined = values[~np.isnan(values)]
    if len(defined) < (1 - LARGEST_UNDEFINED) * RESAMPLES:
        return None, UNSTABLE
    low, high = (_possible(float(end)) for end in np.percentile(defined, [2.5, 97.5]))
    return ((low, high), "") if high - low > _NOTHING else (None, ALL_ALIKE)


def _possible(end: float) -> float:
    """Return an end of an interval, within what a coefficient of agreement can be."""
    return rounded(min(1.0, max(-1.0, end)))
