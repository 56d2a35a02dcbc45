"""When to stop drawing samples of one task, and what rate of correct ones they stand for.

A rule maps the outcomes so far to the number of samples to draw next: none once the task is
settled. Waves grow, since a task that stays open is likely a hard one.
"""

from collections.abc import Callable
from functools import lru_cache
from math import comb, exp, lgamma, log
from typing import NamedTuple

MISS_RATE = 0.05
"""How often an interval may miss the rate, at most."""


class Counts(NamedTuple):
    """How many samples of each outcome were drawn."""

    correct: int = 0
    wrong: int = 0
    neither: int = 0

    @property
    def drawn(self) -> int:
        """All samples together."""
        return sum(self)


Rule = Callable[[Counts, int], int]
"""(counts so far, most samples) → how many to draw next; 0 where the task is settled."""


def until_correct(counts: Counts, max_samples: int) -> int:
    """Return the next wave of 1, 2, 4, 8, … until a correct sample is there.

    The first correct one of independent samples is a correct one at random, so what is kept has the
    distribution that it has when all `max_samples` are drawn.
    """
    return 0 if counts.correct else min(1 + counts.drawn, max_samples - counts.drawn)


def until_both(counts: Counts, max_samples: int) -> int:
    """Return the next wave of 2, 2, 4, 8, … until a correct and a wrong sample are there."""
    settled = counts.correct and counts.wrong
    return 0 if settled else min(max(2, counts.drawn), max_samples - counts.drawn)


def until_decided(counts: Counts, max_samples: int) -> int:
    """Return the next wave until the majority of `max_samples` votes cannot change any more.

    It is the least number that could settle the majority, so no sample is drawn that drawing them
    one at a time would have saved.
    """
    lead, left = abs(counts.correct - counts.wrong), max_samples - counts.drawn
    return 0 if lead > left else min(left, (left - lead) // 2 + 1)


def fixed(counts: Counts, max_samples: int) -> int:
    """Return what is missing of `max_samples`."""
    return max_samples - counts.drawn


def constructed(counts: Counts, max_samples: int) -> int:
    """Return one sample, which tells how often the judge is right; a row takes nothing from it."""
    return 0 if counts.drawn else min(1, max_samples)


CONSTRUCTED = "constructed"
"""The rule of a judge that says a letter alone: the right one is known, whatever was drawn."""

RULES: dict[str, Rule] = {
    "until_correct": until_correct,
    "until_both": until_both,
    "until_decided": until_decided,
    "fixed": fixed,
    CONSTRUCTED: constructed,
}

RULE_FOR_ROWS: dict[str, str] = {"dpo": "until_both", "kto": "until_both"}
"""Row format of a training → the rule that draws what it needs; `until_correct` for all others."""


def pass_rate(rule: Rule, counts: Counts, max_samples: int) -> float | None:
    """Return an unbiased estimate of the chance that a sample is correct, or None.

    Stopping at the first correct sample makes the plain share of correct samples too high. This
    returns the share of the sequences of outcomes ending in these counts that start with a correct
    sample: the mean of the first sample's outcome given all that is known, whose expectation is the
    rate whatever the rule. None where sampling was cut short within a wave.
    Source: Girshick, Mosteller and Savage (1946), Unbiased estimates for certain binomial sampling
    problems.

    >>> pass_rate(until_correct, Counts(1, 0), 15), pass_rate(fixed, Counts(9, 3, 3), 15)
    (1.0, 0.6)
    """
    paths = _paths(rule, max_samples).get(counts)
    return None if paths is None else paths[1] / paths[0]


@lru_cache(maxsize=64)
def _paths(rule: Rule, max_samples: int) -> dict[Counts, tuple[int, int]]:
    """Return counts at the end of a wave → sequences leading there, and those starting correct."""
    paths: dict[Counts, tuple[int, int]] = {}
    level = {Counts(): (1, 0)}
    while level:
        following: dict[Counts, tuple[int, int]] = {}
        for counts, (ways, correct_first) in level.items():
            size = rule(counts, max_samples)
            for c in range(size + 1):
                for w in range(size - c + 1):
                    end = Counts(counts[0] + c, counts[1] + w, counts[2] + size - c - w)
                    orders = comb(size, c) * comb(size - c, w)
                    # Of the orders of a first wave, the share c / size starts with a correct one.
                    first = correct_first * orders if counts.drawn else orders * c // max(size, 1)
                    before = following.get(end, (0, 0))
                    if size:
                        following[end] = (before[0] + ways * orders, before[1] + first)
        for end, (ways, correct_first) in following.items():
            before = paths.get(end, (0, 0))
            paths[end] = (before[0] + ways, before[1] + correct_first)
        level = {c: ways for c, ways in following.items() if rule(c, max_samples)}
    return paths


@lru_cache(maxsize=4096)
def interval(correct: int, drawn: int) -> tuple[float, float]:
    """Return an interval that contains the chance of a correct sample, for 19 in 20 tasks at least.

    A confidence sequence: valid whenever and for whatever reason sampling stopped. It holds the
    rates whose likelihood is at least a twentieth of the mean likelihood over all rates.
    Source: Robbins (1970), Statistical methods related to the law of the iterated logarithm;
    Ville's inequality.

    >>> interval(0, 0)
    (0.0, 1.0)
    """
    other = drawn - correct
    # the log of the Beta function: the mean over all rates of the likelihood of these samples
    mean = lgamma(correct + 1) + lgamma(other + 1) - lgamma(drawn + 2)

    def contains(rate: float) -> bool:
        likelihood = correct * log(rate) + other * log1m(rate)
        return likelihood >= mean + log(MISS_RATE)

    peak = correct / drawn if drawn else 0.5
    low = 0.0 if correct == 0 else _edge(contains, outside=exp(-700), inside=peak)
    high = 1.0 if other == 0 else _edge(contains, outside=1 - 1e-16, inside=peak)
    return low, high


def log1m(rate: float) -> float:
    """Return log(1 − rate), very negative where the rate is 1."""
    return log(1 - rate) if rate < 1 else -1e300


def _edge(contains: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return where `contains` turns true between a rate outside and one inside, by bisection."""
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if contains(middle) else (middle, inside)
    return outside
