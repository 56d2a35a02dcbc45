"""How far a figure may be from what other prompts of the same kinds would give."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, estimates, rounded, value_of
from ste_plugin.lm_eval_tasks.share_interval import SHARE, Interval, share_interval

if TYPE_CHECKING:
    import numpy as np


class Spread(NamedTuple):
    """How far a figure may be off."""

    error: float
    """Standard error."""
    low: float
    """Of the 95% interval."""
    high: float
    bias: float
    """Mean of the resamples minus the figure: how far so few prompts move it in expectation."""


def spread_of(
    terms: Sequence[Sequence[Any]], seed: int = 0, within: Interval = SHARE
) -> Spread | None:
    """Return how far a figure may be off, or None below two prompts.

    `within`: what a pair can add to it, at least and at most.
    """
    resamples, value = estimates(terms, seed), value_of(terms)
    if resamples is None or value is None:
        return None
    return spread_around(value, resamples, _prompts_of(terms), within)


def spread_around(
    value: float, resamples: "np.ndarray[Any, Any]", prompts: float, within: Interval = SHARE
) -> Spread:
    """Return what the resamples of a figure say of its value.

    `prompts`: how many of equal weight tell as much.
    """
    error = float(resamples.std(ddof=1))
    low, high = share_interval(value, error**2, prompts, within=within)
    bias = round(float(resamples.mean()) - value, 10) + 0.0
    return Spread(rounded(error), low, high, bias)


def _prompts_of(terms: Sequence[Sequence[Any]]) -> float:
    """Return how many prompts of equal weight tell as much as those of a figure.

    Their weights are those of their pairs, its parts' alike.
    """
    known = [MetricTerm(*t) for t in terms if t]
    parts: dict[str, float] = defaultdict(float)
    for t in known:
        parts[t.part] += t.denominator
    weights: dict[str, float] = defaultdict(float)
    for t in known:
        weights[t.prompt_key] += t.denominator / parts[t.part] / len(parts)
    return 1 / sum(sorted(weight**2 for weight in weights.values()))
