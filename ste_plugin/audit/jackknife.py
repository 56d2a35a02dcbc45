"""Figures of sums, with intervals: what pairs add is summed by group, and each group left out once.

Everything about one prompt (or pair) falls into one group, the same for every judge, so that two
judges on the same pairs are compared as pairs, and memory holds a few sums however many there are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from zlib import crc32

GROUPS = 100
FEWEST_GROUPS = 10
"""Below this there is no interval worth the name, and nothing is decided."""

Sums = Sequence[float]
Figure = Callable[[Sums], float | None]
"""Sums over all groups → the figure, or None where it is undefined."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95% interval; both None where there is too little."""

    figure: float | None
    interval: tuple[float, float] | None

    def above(self, threshold: float) -> bool:
        """Return whether the whole interval lies above a threshold."""
        return self.interval is not None and self.interval[0] > threshold

    def below(self, threshold: float) -> bool:
        """Return whether the whole interval lies below a threshold."""
        return self.interval is not None and self.interval[1] < threshold


class GroupedSums:
    """Sums of what pairs add, by group."""

    def __init__(self, width: int) -> None:
        """`width`: numbers that a pair adds."""
        self.width = width
        self.groups: dict[int, list[float]] = {}

    def add(self, key: str, values: Sums) -> None:
        """Add what a pair adds; `key` is its prompt's or its own."""
        group = self.groups.setdefault(group_of(key), [0.0] * self.width)
        for at, value in enumerate(values):
            group[at] += value

    def total(self) -> list[float]:
        """Return the sums over all groups."""
        columns = zip(*self.groups.values(), strict=True)
        return [sum(column) for column in columns] if self.groups else [0.0] * self.width

    def beside(self, other: "GroupedSums") -> "GroupedSums":
        """Return the sums of both, this one's first, for figures that compare them."""
        both = GroupedSums(self.width + other.width)
        for number in self.groups.keys() | other.groups.keys():
            first = self.groups.get(number, [0.0] * self.width)
            both.groups[number] = first + other.groups.get(number, [0.0] * other.width)
        return both

    def estimate(self, figure: Figure) -> Estimate:
        """Return a figure of the sums, by leaving each group out in turn."""
        total = self.total()
        left_out = (
            figure([t - g for t, g in zip(total, group, strict=True)])
            for group in self.groups.values()
        )
        return estimate_of(figure(total), left_out)

    def share(self, figure: Figure, most: float = 1.0) -> Estimate:
        """Return a figure that is a share, its interval within 0 and the most it can be."""
        return clipped(self.estimate(figure), 0.0, most)


def clipped(estimate: Estimate, least: float = 0.0, most: float = 1.0) -> Estimate:
    """Return an estimate within what is possible; by default that of a share."""
    if estimate.figure is None:
        return estimate

    def within(value: float) -> float:
        return min(max(value, least), most)

    interval = estimate.interval
    ends = None if interval is None else (within(interval[0]), within(interval[1]))
    return Estimate(within(estimate.figure), ends)


def group_of(key: str, groups: int = GROUPS) -> int:
    """Return the group of a key, the same on every machine."""
    return crc32(key.encode()) % groups


def estimate_of(figure: float | None, left_out: Iterable[float | None]) -> Estimate:
    """Return a figure with the interval that its values without one group each give.

    Source: Efron and Stein (1981), The jackknife estimate of variance; Kott (2001), The delete-a-
    group jackknife.
    """
    values = list(left_out)
    known = [value for value in values if value is not None]
    if figure is None or len(known) < len(values) or len(known) < FEWEST_GROUPS:
        return Estimate(figure, None)
    n, mean = len(known), sum(known) / len(known)
    error = sqrt((n - 1) / n * sum((value - mean) ** 2 for value in known))
    half = error * _quantile(n - 1)
    return Estimate(figure, (round(figure - half, 10), round(figure + half, 10)))


@lru_cache
def _quantile(degrees: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, degrees))


def quotient(numerator: int, denominator: int) -> Figure:
    """Return the figure that is one sum over another, by their places."""
    return lambda sums: sums[numerator] / sums[denominator] if sums[denominator] > 0 else None


def change(figure: Figure, width: int) -> Figure:
    """Return the figure of the second judge minus that of the first, of sums that stand beside."""

    def difference(sums: Sums) -> float | None:
        first, second = figure(sums[:width]), figure(sums[width:])
        return None if first is None or second is None else second - first

    return difference


def magnitude(figure: Figure) -> Figure:
    """Return the size of a figure, without its sign."""

    def size(sums: Sums) -> float | None:
        value = figure(sums)
        return None if value is None else abs(value)

    return size
