"""(2) How many samples a vote of 32 draws, against the best that any stopping rule could do."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement
from ste_plugin.sampling.stopping_rules import Counts, until_decided

K, WITHIN = 32, 0.5


def measure(_: Inputs) -> Iterator[Measurement]:
    """Yield exact mean draws for judges that are right with chance p."""
    for p in (0.5, 0.7, 0.9):
        ours, best = mean_draws(p), optimum(p)
        yield Measurement(
            f"(2) mean draws of a vote of {K}, p = {p}",
            f"{ours:.3f}; the sequential optimum is {best:.3f}",
            f"within {WITHIN}",
            ours - best <= WITHIN,
        )


def mean_draws(p: float) -> float:
    """Return the mean draws of `until_decided`, by adding up over all ways that a vote can go."""

    @cache
    def from_here(correct: int, wrong: int) -> float:
        size = until_decided(Counts(correct, wrong), K)
        if not size:
            return 0.0
        return size + sum(
            chance * from_here(correct + c, wrong + size - c)
            for c, chance in enumerate(binomial(size, p))
        )

    return from_here(0, 0)


def optimum(p: float) -> float:
    """Return the least mean draws after which the majority of K is certain (dynamic programming).

    Sample by sample: where some way of voting on leads to another majority, one must draw.
    """

    @cache
    def outcomes(correct: int, wrong: int) -> frozenset[int]:
        """Return the majorities that are still possible: 1, −1, and 0 for a tie."""
        if correct + wrong == K:
            return frozenset({(correct > wrong) - (correct < wrong)})
        return outcomes(correct + 1, wrong) | outcomes(correct, wrong + 1)

    @cache
    def from_here(correct: int, wrong: int) -> float:
        if len(outcomes(correct, wrong)) == 1:
            return 0.0
        right, other = from_here(correct + 1, wrong), from_here(correct, wrong + 1)
        return 1 + p * right + (1 - p) * other

    return from_here(0, 0)


@cache
def binomial(n: int, p: float) -> tuple[float, ...]:
    """Return the chances of 0 … n successes."""
    chances = [1.0]
    for _ in range(n):
        padded = [0.0, *chances, 0.0]
        chances = [p * a + (1 - p) * b for a, b in pairwise(padded)]
    return tuple(chances)
