"""The figures of probes: intervals clustered by prompt, exact tests, corrected for their number."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal, NamedTuple

from ste_plugin.audit.significance import binomial_tail, sign_flip_p
from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, estimates, rounded, value_of
from ste_plugin.lm_eval_tasks.spread import spread_of

LEAST_PROMPTS = 12
"""Fewer say nothing: were all of so many alike, a sign test of one in 20 tests would just tell."""
_DEVIATION = 3.7
"""Of n prompts alike, at most this number in n others may differ, at 97.5%."""

Values = Mapping[str, tuple[str, float]]
"""Key of the pair → key of its instruction, and what the pair adds to the figure."""


class Measured(NamedTuple):
    """One figure of one judge."""

    figure: float
    interval: tuple[float, float]
    """95%, by prompt: bootstrapped, of a rate that of a share."""
    p: float
    """How likely a judge without the bias has such a figure, not yet corrected."""
    n: int
    """Pairs."""
    prompts: int


def measured(
    values: Values, test: Literal["more", "either", "rate"], threshold: float, seed: int
) -> Measured | None:
    """Return a probe's figure of one judge; None where there are too few prompts.

    `more` and `either` are sign-flip tests by prompt: a judge that is not moved is as likely to go
    one way as the other, whatever its accuracy and its noise. `rate` is the binomial test, of one
    pair per prompt, that the share is above the threshold.
    """
    by_prompt = _by_prompt(values)
    if len(by_prompt) < LEAST_PROMPTS:
        return None
    figure, interval = rate_and_interval(values) if test == "rate" else mean_and_interval(values)
    if test == "rate":
        hits = sum(each[0] > 0 for each in by_prompt.values())
        p = binomial_tail(hits, len(by_prompt), threshold)
    else:
        p = sign_flip_p([sum(each) for each in by_prompt.values()], test, seed)
    return Measured(figure, interval, p, len(values), len(by_prompt))


def _by_prompt(values: Values) -> dict[str, list[float]]:
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for key in sorted(values):
        prompt, value = values[key]
        by_prompt[prompt].append(value)
    return by_prompt


def mean_and_interval(values: Values) -> tuple[float, tuple[float, float]]:
    """Return the mean over pairs and its 95% interval, prompts drawn with replacement.

    Where all pairs are alike a resample tells nothing; the interval is then that of so many alike.
    """
    import numpy as np

    terms = _terms(values)
    figure, resamples = value_of(terms), estimates(terms)
    if figure is None or resamples is None:
        raise ValueError("no interval of fewer than two prompts")
    low, high = (rounded(float(end)) for end in np.percentile(resamples, [2.5, 97.5]))
    if low == high:
        reach = _DEVIATION / len({prompt for prompt, _ in values.values()})
        return rounded(figure), (max(-1.0, figure - reach), min(1.0, figure + reach))
    return rounded(figure), (low, high)


def rate_and_interval(values: Values) -> tuple[float, tuple[float, float]]:
    """Return the share of pairs, each 0 or 1, and its 95% interval by prompt."""
    terms = _terms(values)
    figure, spread = value_of(terms), spread_of(terms)
    if figure is None or spread is None:
        raise ValueError("no interval of fewer than two prompts")
    return rounded(figure), (spread.low, spread.high)


def _terms(values: Values) -> list[MetricTerm]:
    return [MetricTerm("", "", prompt, value, 1.0) for prompt, value in values.values()]


def difference(after: Values, before: Values) -> tuple[float, tuple[float, float]] | None:
    """Return how much a figure rose on the pairs of both judges, with its interval, or None."""
    common = {k: (after[k][0], after[k][1] - before[k][1]) for k in after.keys() & before.keys()}
    if len({prompt for prompt, _ in common.values()}) < LEAST_PROMPTS:
        return None
    return mean_and_interval(common)
