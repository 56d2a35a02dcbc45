"""How often a judge was right on a pair, estimated from the samples that were drawn."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from math import sqrt
from pathlib import Path
from typing import Any

import msgspec

from ste_plugin.records import Record, Verdict
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.sampling.stopping_rules import Counts, Rule, interval, pass_rate
from ste_plugin.storage.jsonl import iter_records


class PassRate(Record, frozen=True):
    """The chance that a sampled judgment of one pair in one order is right."""

    pair_key: str
    """Which pair was judged."""
    gold: Verdict = msgspec.field(name="better_is")
    """Letter under which the better response was shown."""
    samples: int
    """How many judgments were drawn."""
    correct: int
    """How many of these were right."""
    rate: float | None
    """Unbiased over pairs: the mean of the first sample's outcome given all counts. For one pair it
    is rough (after stopping at the first correct one it is 1 or 0); None where sampling was cut
    short."""
    low: float
    """Lower end of an interval that holds the true chance for 19 in 20 pairs at least, whenever
    sampling stopped."""
    high: float
    """Its upper end."""


def estimate_pass_rate(task: JudgeTask, rule: Rule, max_samples: int) -> PassRate:
    """Return a task's estimate; samples beyond `max_samples` count for the interval alone."""
    counts, within = task.counts(), task.counts(max_samples)
    return PassRate(task.pair_key, task.gold, *_estimate(rule, counts, within, max_samples))


@lru_cache(maxsize=4096)  # most tasks have one of a few histories
def _estimate(
    rule: Rule, counts: Counts, within: Counts, max_samples: int
) -> tuple[int, int, float | None, float, float]:
    rate = pass_rate(rule, within, max_samples)
    return counts.drawn, counts.correct, rate, *interval(counts.correct, counts.drawn)


def mean_rate(rates: Iterable[PassRate]) -> dict[str, Any]:
    """Return the mean of the rates and its standard error by pair, None where no rate is known.

    The two orders of a pair must be adjacent.
    """
    means = []
    for _, both_orders in groupby(rates, key=lambda rate: rate.pair_key):
        known = [r.rate for r in both_orders if r.rate is not None]
        means += [sum(known) / len(known)] if known else []
    if not means:
        return {"mean": None, "se": None, "pairs": 0}
    mean = sum(means) / len(means)
    spread = sum((m - mean) ** 2 for m in means) / max(len(means) - 1, 1)
    return {"mean": round(mean, 6), "se": round(sqrt(spread / len(means)), 6), "pairs": len(means)}


def expected_rates(rates: Iterable[PassRate]) -> dict[str, float]:
    """Return pair key → (correct + 1) / (samples + 2) over both orders, usable with few samples."""
    by_pair: dict[str, list[int]] = defaultdict(lambda: [1, 2])
    for rate in rates:
        by_pair[rate.pair_key][0] += rate.correct
        by_pair[rate.pair_key][1] += rate.samples
    return {key: correct / samples for key, (correct, samples) in by_pair.items()}


def read_always_right(path: Path) -> set[str]:
    """Return the keys of the pairs whose every sample in that file, in both orders, was right."""
    right: set[str] = set()
    wrong: set[str] = set()
    for rate in iter_records(path, PassRate) if path.exists() else ():
        (right if rate.samples and rate.correct == rate.samples else wrong).add(rate.pair_key)
    return right - wrong
