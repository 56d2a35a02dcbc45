"""The figures of probes: intervals clustered by prompt, exact tests, corrected for their number."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ste_plugin.audit.significance import binomial_tail
from ste_plugin.evaluation.paired_test import sign_flip_p
from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, estimates, rounded, value_of
from ste_plugin.lm_eval_tasks.spread import spread_of
from ste_plugin.records import content_key

LEAST_PROMPTS = 12
"""Fewer say nothing: were all of so many alike, a sign test of one in 20 tests would just tell."""
_ROWS_AT_ONCE = 2000
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


def group_difference(first: Values, second: Values, seed: int) -> Measured | None:
    """Return by how much the mean of one group of pairs is above another's; None of too few.

    The interval is bootstrapped by prompt; p is that of a permutation of the groups, of one pair
    per prompt.
    """
    import numpy as np

    singles = {
        prompt: (value, group)
        for group, values in ((0, second), (1, first))
        for prompt, value in values.values()
    }
    groups = np.array([group for _, group in singles.values()])
    if min((groups == 1).sum(), (groups == 0).sum()) < LEAST_PROMPTS:
        return None
    generator = np.random.default_rng([seed, int(content_key("groups")[:8], 16)])
    figure = _mean(first) - _mean(second)
    interval = _difference_interval(first, second, figure, generator)
    drawn = np.array([value for value, _ in singles.values()])
    observed = drawn[groups == 1].mean() - drawn[groups == 0].mean()
    permuted = generator.permuted(np.tile(groups, (_ROWS_AT_ONCE, 1)), axis=1)
    ones = permuted.sum(axis=1)
    means = permuted @ drawn / ones - (1 - permuted) @ drawn / (len(drawn) - ones)
    p = float(((means >= observed - 1e-9).sum() + 1) / (_ROWS_AT_ONCE + 1))
    return Measured(rounded(figure), interval, p, len(first) + len(second), len(singles))


def _mean(values: Values) -> float:
    return sum(value for _, value in values.values()) / len(values)


def _difference_interval(
    first: Values, second: Values, figure: float, generator: Any
) -> tuple[float, float]:
    """Return the 95% interval of a difference of means, prompts drawn with replacement."""
    import numpy as np

    prompts = sorted({prompt for values in (first, second) for prompt, _ in values.values()})
    place = {prompt: i for i, prompt in enumerate(prompts)}
    sums = np.zeros((4, len(prompts)))
    for row, values in ((0, first), (2, second)):
        for prompt, value in values.values():
            sums[row, place[prompt]] += value
            sums[row + 1, place[prompt]] += 1
    drawn = generator.integers(0, len(prompts), (_ROWS_AT_ONCE, len(prompts)))
    totals = sums[:, drawn].sum(axis=2)
    is_full = (totals[1] > 0) & (totals[3] > 0)
    means = totals[0, is_full] / totals[1, is_full] - totals[2, is_full] / totals[3, is_full]
    low, high = (rounded(float(q)) for q in np.quantile(means, (0.025, 0.975)))
    if low < high:
        return low, high
    reach = _DEVIATION / (min(map(len, (first, second))))  # all alike: as in `mean_and_interval`
    return max(-1.0, figure - reach), min(1.0, figure + reach)
