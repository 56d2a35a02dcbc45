"""Figures of sums, with intervals: what pairs add is summed by group of pairs that hang together.

Everything about one prompt (or pair) falls into one group, the same for every judge, so that two
judges on the same pairs are compared as pairs, and memory holds a few sums however many there are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from zlib import crc32

from ste_plugin.lm_eval_tasks.share_interval import clustered_interval, share_interval

GROUPS = 1000
FEWEST_GROUPS = 10
"""Below this there is no interval worth the name, and nothing is decided."""

Sums = Sequence[float]
Figure = Callable[[Sums], float | None]
"""Sums over all groups → the figure, or None where it is undefined."""


_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Share:
    """A share of cases, each 0 to 1, by two sums over them."""

    hits: Callable[[Sums], float]
    cases: Callable[[Sums], float]

    def __call__(self, sums: Sums) -> float | None:
        """Return the share; None where there is no case."""
        cases = self.cases(sums)
        return self.hits(sums) / cases if cases > 0 else None


def share_of(hits: int, cases: int) -> Share:
    """Return the share that is one sum of another, by their places."""
    return Share(lambda sums: sums[hits], lambda sums: sums[cases])


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95% interval; both None where there is too little."""

    figure: float | None
    interval: tuple[float, float] | None

    def above(self, threshold: float) -> bool:
        """Return whether the whole interval lies above a threshold."""
        return self.interval is not None and self.interval[0] > threshold

    def reach(self) -> tuple[float, float]:
        """Return how far the interval goes below the figure and above it; 0 where there is none."""
        if self.figure is None or self.interval is None:
            return 0.0, 0.0
        return self.figure - self.interval[0], self.interval[1] - self.figure

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
        return estimate_of(figure(self.total()), self.left_out(figure))

    def left_out(self, figure: Figure) -> list[float | None]:
        """Return a figure of the sums without each group in turn."""
        total = self.total()
        return [
            figure([t - g for t, g in zip(total, group, strict=True)])
            for group in self.groups.values()
        ]

    def share(self, share: Share) -> Estimate:
        """Return a share of cases, with the interval of one."""
        groups = [(share.hits(sums), share.cases(sums)) for sums in self.groups.values()]
        if sum(cases > 0 for _, cases in groups) < FEWEST_GROUPS:
            return Estimate(share(self.total()), None)
        return Estimate(share(self.total()), clustered_interval(groups))

    def bounded(self, figure: Figure, cases: Callable[[Sums], float]) -> Estimate:
        """Return a figure between 0 and 1 that is no plain share, with an interval that holds it.

        `cases`: sums → how many cases tell of it.
        """
        value, known = figure(self.total()), _known(self.left_out(figure))
        if value is None or known is None:
            return Estimate(value, None)
        value = min(max(value, 0.0), 1.0)
        telling = sum(cases(sums) > 0 for sums in self.groups.values())
        return Estimate(value, share_interval(value, _variance(known), max(telling, 1)))

    def correlation(self, first: Figure, second: Figure) -> float:
        """Return how far two figures err alike; 0 where either does not vary."""
        both = [_known(self.left_out(figure)) for figure in (first, second)]
        if both[0] is None or both[1] is None:
            return 0.0
        apart = [[value - sum(v) / len(v) for value in v] for v in (both[0], both[1])]
        squares = [sum(value**2 for value in values) for values in apart]
        if min(squares) < _NOTHING**2:
            return 0.0
        together: float = sum(a * b for a, b in zip(*apart, strict=True))
        return together / sqrt(squares[0] * squares[1])


def group_of(key: str, groups: int = GROUPS) -> int:
    """Return the group of a key, the same on every machine."""
    return crc32(key.encode()) % groups


def estimate_of(figure: float | None, left_out: Iterable[float | None]) -> Estimate:
    """Return a figure with the interval that its values without one group each give.

    Source: Efron and Stein (1981), The jackknife estimate of variance; Kott (2001), The delete-a-
    group jackknife.
    """
    known = _known(list(left_out))
    if figure is None or known is None:
        return Estimate(figure, None)
    half = sqrt(_variance(known)) * _quantile(len(known) - 1)
    return Estimate(figure, (round(figure - half, 10), round(figure + half, 10)))


def _known(left_out: Sequence[float | None]) -> list[float] | None:
    """Return a figure without each group; None where one is unknown, or there are too few."""
    known = [value for value in left_out if value is not None]
    return known if len(known) == len(left_out) >= FEWEST_GROUPS else None


def _variance(left_out: Sequence[float]) -> float:
    n, mean = len(left_out), sum(left_out) / len(left_out)
    return (n - 1) / n * sum((value - mean) ** 2 for value in left_out)


@lru_cache
def _quantile(degrees: int) -> float:
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return float(stdtrit(degrees, 0.975))


def change(figure: Figure, width: int) -> Figure:
    """Return the figure of the second judge minus that of the first, of sums that stand beside."""

    def difference(sums: Sums) -> float | None:
        first, second = figure(sums[:width]), figure(sums[width:])
        return None if first is None or second is None else second - first

    return difference
