"""The figures of probes: intervals clustered by prompt, exact tests, corrected for their number."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import comb
from typing import Any, Literal, NamedTuple

from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, rounded, spread_of, value_of
from ste_plugin.records import content_key

LEAST_PROMPTS = 12
"""Fewer say nothing: were all of so many alike, a sign test of one in 20 tests would just tell."""
_RESAMPLES, _EXACT = 20_000, 14
_ROWS_AT_ONCE = 2000
_DEVIATION = 3.7
"""Of n prompts alike, at most this number in n others may differ, at 97.5%."""

Values = Mapping[str, tuple[str, float]]
"""Key of the pair → key of its instruction, and what the pair adds to the figure."""


class Measured(NamedTuple):
    """One figure of one judge."""

    figure: float
    interval: tuple[float, float]
    """95%, bootstrapped by prompt."""
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
    figure, interval = mean_and_interval(values)
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
    terms = [MetricTerm("", "", prompt, value, 1.0) for prompt, value in values.values()]
    figure, spread = value_of(terms), spread_of(terms)
    if figure is None or spread is None:
        raise ValueError("no interval of fewer than two prompts")
    if spread.low == spread.high:
        reach = _DEVIATION / len({prompt for prompt, _ in values.values()})
        return rounded(figure), (max(-1.0, figure - reach), min(1.0, figure + reach))
    return rounded(figure), (spread.low, spread.high)


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


def sign_flip_p(sums: Sequence[float], test: Literal["more", "either"], seed: int) -> float:
    """Return how often the sum is as large, or as far from 0, where each sign is a coin's.

    All signs are gone through of few prompts; of more, 20,000 draws by the seed.
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
    generator = np.random.default_rng([seed, int(content_key("sign flips")[:8], 16)])
    parts = [
        (2.0 * generator.integers(0, 2, (_ROWS_AT_ONCE, len(moved))) - 1) @ moved
        for _ in range(_RESAMPLES // _ROWS_AT_ONCE)
    ]
    return _share(np.concatenate(parts), observed, test, 1)


def _share(drawn: "object", observed: float, test: str, added: int) -> float:
    import numpy as np

    sums = np.asarray(drawn)
    as_far = np.abs(sums) >= abs(observed) - 1e-9 if test == "either" else sums >= observed - 1e-9
    return float((as_far.sum() + added) / (len(sums) + added))


def binomial_tail(hits: int, n: int, rate: float) -> float:
    """Return how likely at least so many of n are, each with the probability `rate`.

    >>> round(binomial_tail(2, 2, 0.5), 3)
    0.25
    """
    return sum(comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(hits, n + 1))


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
