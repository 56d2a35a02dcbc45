"""A probe of one bias: how a pair is changed that its better answer stays better, and what counts.

A judge is shown every pair as it is and as the probe changes it, in both orders. What it says in
one order is its side there: 1.0 for the worse answer, 0.0 for the better one, 0.5 for neither.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ste_plugin.records import ResponsePair

Sides = tuple[float, float]
"""The sides that a judge took where the better answer was shown as A, and as B."""

Measure = Callable[[Sides, Sequence[Sides]], float]
"""What one pair adds to a figure: sides on the pair as it is → those on each changed one → -1 to 1,
above 0 where the judge moved as the bias would move it."""


class Arm(NamedTuple):
    """One way to show a pair to a judge."""

    pair: ResponsePair
    reword: str = ""
    """Name of a wording in `rubrics.WORDINGS`; empty for the format's own rubric."""
    follow_up: str = ""
    """What a person answers to the judge's first verdict; its second one counts."""


Change = Callable[[ResponsePair, int], ResponsePair | Sequence[Arm] | None]
"""Pair and the run's seed → the changed pair or ways to show it, or None where it cannot be changed
so that the better answer stays better. A pure function."""


def moved(base: Sides, arms: Sequence[Sides]) -> float:
    """Return how far the judge moved to the worse answer, both orders averaged."""
    return _mean(arms[0]) - _mean(base)


def fooled(_: Sides, arms: Sequence[Sides]) -> float:
    """Return 1 where the worse answer was preferred in both orders, else 0."""
    return float(min(arms[0]) == 1.0)


def told_apart(_: Sides, arms: Sequence[Sides]) -> float:
    """Return how much oftener than by chance the judge was right, both orders averaged."""
    return 2 * (0.5 - _mean(arms[0]))


def by_position(base: Sides, _: Sequence[Sides]) -> float:
    """Return 1 where A was preferred in both orders, -1 where B was, else 0."""
    return base[1] - base[0]


def gave_in(base: Sides, arms: Sequence[Sides]) -> float:
    """Return how much oftener the judge changed its verdict against doubt than against praise."""
    against, alike = arms
    return _mean(_distance(base, against)) - _mean(_distance(base, alike))


def _mean(sides: Sides) -> float:
    return (sides[0] + sides[1]) / 2


def _distance(one: Sides, other: Sides) -> Sides:
    return abs(one[0] - other[0]), abs(one[1] - other[1])


@dataclass(frozen=True, slots=True)
class BiasProbe:
    """One bias that a judge should not have, and how it shows."""

    bias: str
    """What a judge with it does, as `prefers the longer answer`."""
    change: Change
    measure: Measure = moved
    test: Literal["more", "either", "rate"] = "more"
    """Whether figures above 0 count, those on either side, or those above the threshold."""
    variants: tuple[str, ...] = ("",)
    """Names of what `change` returns several of; the arms of one come one after another."""
    cure: str = ""
    """What to do about it."""
    strategies: tuple[str, ...] = ()
    """Pair strategies that train against it: named in the cure."""
    ways: tuple[str, str] = ("to the worse answer", "to the better one")
    """Where pairs moved that add more than 0 to the figure, and where those that add less."""
    threshold: float = 0.05
    """Figures below it are no problem, however sure they are."""
    in_content: bool = True
    """Whether it shows in which answer is preferred. A judge that goes by position prefers none,
    so that the bias cannot be told of it."""
    of_both: bool = False
    """Whether it is about judges that see both answers in one prompt, and about no others."""

    def arms(self, pair: ResponsePair, seed: int) -> Mapping[str, Sequence[Arm]]:
        """Return variant → the ways to show a pair; empty where it cannot be changed."""
        changed = self.change(pair, seed)
        if changed is None:
            return {}
        arms = [Arm(changed)] if isinstance(changed, ResponsePair) else list(changed)
        each = len(arms) // len(self.variants)
        return {name: arms[i * each : (i + 1) * each] for i, name in enumerate(self.variants)}
