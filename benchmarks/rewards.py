"""(12) How much of an answer's quality a reward tells within a group, by whom it is compared with.

Qualities are normal; the judge's chance in one order is logistic in their difference, with a bias
for the answer that it sees first.
"""

import math
import random
from collections.abc import Iterator, Sequence
from statistics import StatisticsError, correlation, fmean

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement
from ste_plugin.integrations.scoring import score_answers
from ste_plugin.judge import Comparison

GROUP, GROUPS, FIRST_BIAS = 8, 2000, 0.8
NOISES = {"precise": 0.5, "noisy": 1.5}
"""Scale of the judge's doubt, in spreads of quality."""


class SimulatedJudge:
    """Judges answers whose texts are their qualities."""

    def __init__(self, noise: float, drawn: random.Random) -> None:
        self.noise, self.drawn, self.asked = noise, drawn, 0

    def compare_many(self, pairs: Sequence[tuple[str, str, str]]) -> list[Comparison]:
        self.asked += len(pairs)
        return [self._compared(float(a) - float(b)) for _, a, b in pairs]

    def _compared(self, difference: float) -> Comparison:
        says = {self._prefers_a(difference, bias) for bias in (FIRST_BIAS, -FIRST_BIAS)}
        if len(says) == 2:
            return Comparison(None, 0.5, "orders differ")
        return Comparison("A", 1.0) if says == {True} else Comparison("B", 0.0)

    def _prefers_a(self, difference: float, bias: float) -> bool:
        return self.drawn.random() < 1 / (1 + math.exp(-(difference / self.noise + bias)))


def measure(_: Inputs) -> Iterator[Measurement]:
    """Yield the mean correlation of reward and quality within groups, per judge and opponents."""
    for name, noise in NOISES.items():
        for opponents in (2, 4, 6, GROUP - 1):
            yield _row(f"{opponents} others each, {name} judge", noise, opponents, None)
        for better in (0.0, 1.5):
            yield _row(f"a reference {better} better, {name} judge", noise, 1, better)


def _row(claim: str, noise: float, opponents: int, better: float | None) -> Measurement:
    drawn = random.Random(0)
    judge = SimulatedJudge(noise, drawn)
    found = [_told(judge, drawn, opponents, better) for _ in range(GROUPS)]
    alike = sum(told is None for told in found) / GROUPS
    figure = f"{fmean(told or 0.0 for told in found):.2f}; {alike:.0%} of groups all alike"
    return Measurement(f"(12) {claim}", f"{figure}; {judge.asked / GROUPS:.0f} comparisons")


def _told(
    judge: SimulatedJudge, drawn: random.Random, opponents: int, better: float | None
) -> float | None:
    """Return the correlation in one group, or None where all earn the same."""
    qualities = [drawn.gauss() for _ in range(GROUP)]
    reference = None if better is None else [str(drawn.gauss() + better)] * GROUP
    answers = [str(quality) for quality in qualities]
    rewards = score_answers(judge, ["q"] * GROUP, answers, reference, opponents=opponents).values
    try:
        return correlation(rewards, qualities)
    except StatisticsError:
        return None
