"""A rate and its interval, where cases of one prompt hang together and some stand for several."""

from collections.abc import Iterable
from math import fsum, sqrt
from typing import NamedTuple

from ste_plugin.lm_eval_tasks.bootstrap import rounded
from ste_plugin.records import Record

LEVEL = 0.05
"""Intervals leave out this share."""
ONE_CLUSTER = "all of one prompt, so that nothing says how far others would differ"


class Case(NamedTuple):
    """What one case adds to a rate."""

    cluster: str
    """Its prompt: cases of one prompt count as one where they say the same."""
    value: float
    """0 to 1."""
    weight: float = 1.0
    """How many it stands for, in a sample that has more of some than of others."""


class Estimate(Record, frozen=True):
    """A figure, and how far off it may be."""

    value: float | None
    """None where it is not defined."""
    interval: tuple[float, float] | None
    """95%."""
    why: str = ""
    """Why there is no value, or no interval."""


def rate_of(cases: Iterable[Case]) -> Estimate:
    """Return the weighted mean of the cases with Wilson's interval.

    That of as many independent cases as would give the mean the variance that it has between
    prompts, so that 100 answers to one question are not 100 pieces of evidence. Where all are
    alike, prompts are counted.

    Source: Korn & Graubard 1998 (effective sample size, degrees of freedom); Wilson 1927; Franco
    et al. 2019, who find this pair to cover well.
    """
    known = list(cases)
    if not known:
        return Estimate(None, None, "nothing to count")
    total = fsum(case.weight for case in known)
    value = fsum(sorted(case.weight * case.value for case in known)) / total
    clusters: dict[str, list[float]] = {}
    for case in known:
        weight, excess = clusters.setdefault(case.cluster, [0.0, 0.0])
        clusters[case.cluster] = [
            weight + case.weight,
            excess + case.weight * (case.value - value),
        ]
    told = rounded(value)
    if len(clusters) < 2:
        return Estimate(told, None, ONE_CLUSTER)
    most = total**2 / fsum(sorted(case.weight**2 for case in known))
    n, quantile = _effective(value, most, total, list(clusters.values()))
    return Estimate(told, wilson(told, n, quantile))


def _effective(
    value: float, most: float, total: float, clusters: list[list[float]]
) -> tuple[float, float]:
    """Return how many independent cases tell as much, and the quantile that their number needs."""
    from scipy.special import ndtri, stdtrit  # scipy.stats takes a second to import

    count = len(clusters)
    if value * (1 - value) < 1e-12:
        distinct = total**2 / fsum(sorted(weight**2 for weight, _ in clusters))
        return distinct, float(ndtri(1 - LEVEL / 2))
    spread = fsum(sorted(excess**2 for _, excess in clusters)) * count / (count - 1) / total**2
    n = value * (1 - value) / max(spread, value * (1 - value) / most)
    return n, float(stdtrit(count - 1, 1 - LEVEL / 2))


def wilson(value: float, n: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's interval of a rate over `n` cases.

    >>> low, high = wilson(0.5, 100, 1.96)
    >>> round(low, 4), round(high, 4)
    (0.4038, 0.5962)
    """
    z = quantile**2 / n
    middle = (value + z / 2) / (1 + z)
    half = sqrt(z * value * (1 - value) + z**2 / 4) / (1 + z)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return rounded(min(low, value)), rounded(max(high, value))
