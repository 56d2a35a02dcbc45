"""The 95% interval of a share, which holds near 0 and 1 and knows which cases hang together.

A share that varies little in what was seen is not known the better for it: where 40 prompts in 40
are alike, resampling them says that nothing else is possible. Wilson's interval asks instead which
shares would make what was seen no surprise, of as many independent cases as would vary that much.

Source: Wilson 1927; Korn & Graubard 1998 (effective number of cases, degrees of freedom); Franco
et al. 2019, who find the two together to cover well.
"""

from collections.abc import Iterable
from math import fsum, inf, sqrt

from ste_plugin.lm_eval_tasks.bootstrap import rounded

Interval = tuple[float, float]
SHARE: Interval = (0.0, 1.0)

LEVEL = 0.05
"""Intervals leave out this share."""
_NONE = 1e-12
"""A variance below it is none."""


def share_interval(
    value: float,
    variance: float,
    clusters: float,
    *,
    cases: float = inf,
    within: Interval = SHARE,
) -> Interval:
    """Return the interval of a share, or of any mean whose cases lie within two ends.

    `variance`: of the value, between clusters of cases that hang together. `clusters`: how many of
    equal weight tell as much. `cases`: the most independent cases that the value can be worth.
    Where all clusters are alike, the value is taken for one that up to 3.84 / (n + 3.84) of other
    clusters may differ from.
    """
    from scipy.special import ndtri, stdtrit  # scipy.stats takes a second to import

    least, span = within[0], within[1] - within[0]
    if not span:  # every case is the same by construction
        return within
    share, spread = min(max((value - least) / span, 0.0), 1.0), variance / span**2
    if spread < _NONE:
        quantile = float(ndtri(1 - LEVEL / 2))
        unseen = quantile**2 / (clusters + quantile**2)
        low, high = share * (1 - unseen), share + (1 - share) * unseen
    else:
        quantile, most = float(stdtrit(max(clusters - 1, 1), 1 - LEVEL / 2)), share * (1 - share)
        if most < _NONE:  # a mean beyond an end, as a corrected one may be
            low, high = max(0.0, share - quantile * sqrt(spread)), share + quantile * sqrt(spread)
        else:
            low, high = wilson(share, most / max(spread, most / cases), quantile)
    return rounded(least + span * low), rounded(least + span * min(high, 1.0))


def clustered_interval(
    clusters: Iterable[tuple[float, float]], cases: float | None = None
) -> Interval | None:
    """Return the interval of a share; None below two clusters.

    `clusters`: of each, the sum of its cases (each 0 to 1, times its weight), and of their weights.
    `cases`: how many cases of equal weight tell as much; by default the sum of the weights.
    Few clusters with most of the weight draw the share towards their own, so each is held against
    the share without it (the jackknife).
    """
    known = [(hits, weight) for hits, weight in clusters if weight > 0]
    if len(known) < 2:
        return None
    count, total = len(known), fsum(sorted(weight for _, weight in known))
    value = fsum(sorted(hits for hits, _ in known)) / total
    moved = sorted(((hits - value * weight) / (total - weight)) ** 2 for hits, weight in known)
    return share_interval(
        value,
        fsum(moved) * (count - 1) / count,
        total**2 / fsum(sorted(weight**2 for _, weight in known)),
        cases=total if cases is None else cases,
    )


def wilson(value: float, n: float, quantile: float) -> Interval:
    """Return Wilson's interval of a share of `n` cases.

    >>> low, high = wilson(0.5, 100, 1.96)
    >>> round(low, 4), round(high, 4)
    (0.4038, 0.5962)
    """
    z = quantile**2 / n
    middle = (value + z / 2) / (1 + z)
    half = sqrt(max(0.0, z * value * (1 - value) + z**2 / 4)) / (1 + z)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return rounded(min(low, value)), rounded(max(high, value))
