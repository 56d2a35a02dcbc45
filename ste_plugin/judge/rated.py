"""Ranking answers that were rated one by one."""

from collections.abc import Sequence
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.judge.probability import Spread
from ste_plugin.judge.ranking import Ranking
from ste_plugin.judging.rating import is_score

_DRAWS = 4000
_TAILS = (2.5, 97.5)


def rank_by_rating(spreads: Sequence[Spread]) -> Ranking:
    """Return a ranking by what was said of each answer: score → how likely it is.

    Intervals are those of the score itself; of a single reply without likelihoods they are one
    point. An answer without a score comes last, and may be the best for all that is known of it:
    its score is as likely to be one of any other's. Raises: DataError where none has one.
    """
    import numpy as np

    scored = [{s: p for s, p in each.items() if is_score(s) and p > 0} for each in spreads]
    if not any(scored):
        raise DataError(
            f"None of {len(spreads)} answers got a score that can be read. Look at two with "
            "compare(), or set force_verdict=True."
        )
    rng = np.random.default_rng(0)
    draws = np.empty((len(scored), _DRAWS))
    means: list[float | None] = [None] * len(scored)
    for i, known in enumerate(scored):
        if known:
            shares = np.array(list(known.values())) / sum(known.values())
            means[i] = float(np.dot(list(known), shares))
            draws[i] = rng.choice(list(known), _DRAWS, p=shares)
    unheard = [i for i, known in enumerate(scored) if not known]
    heard = draws[[i for i, known in enumerate(scored) if known]]
    draws[unheard] = rng.choice(heard.ravel(), (len(unheard), _DRAWS))
    highest = draws == draws.max(axis=0)
    chances = (highest / highest.sum(axis=0)).mean(axis=1)
    order = tuple(sorted(range(len(means)), key=lambda i: -_or_lowest(means[i])))
    intervals = [
        None if mean is None else _bounds(of_one) for mean, of_one in zip(means, draws, strict=True)
    ]
    return Ranking(order, tuple(means), tuple(intervals), float(chances[order[0]]), ())


def _bounds(draws: Any) -> tuple[float, float]:
    import numpy as np

    low, high = np.percentile(draws, _TAILS).tolist()
    return low, high


def _or_lowest(score: float | None) -> float:
    return float("-inf") if score is None else score
