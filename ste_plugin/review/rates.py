"""A rate and its interval, where cases of one prompt hang together and some stand for several."""

from collections.abc import Iterable
from math import fsum
from typing import NamedTuple

from ste_plugin.lm_eval_tasks.bootstrap import rounded
from ste_plugin.lm_eval_tasks.share_interval import clustered_interval
from ste_plugin.records import Record

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
    """Return the weighted mean of the cases with the interval of a share.

    100 answers to one question are not 100 pieces of evidence; where all are alike, prompts are
    counted.
    """
    known = list(cases)
    if not known:
        return Estimate(None, None, "nothing to count")
    total = fsum(case.weight for case in known)
    value = fsum(sorted(case.weight * case.value for case in known)) / total
    clusters: dict[str, list[Case]] = {}
    for case in known:
        clusters.setdefault(case.cluster, []).append(case)
    interval = clustered_interval(
        (
            (fsum(c.weight * c.value for c in each), fsum(c.weight for c in each))
            for each in clusters.values()
        ),
        total**2 / fsum(sorted(case.weight**2 for case in known)),
    )
    return Estimate(rounded(value), interval, "" if interval else ONE_CLUSTER)
