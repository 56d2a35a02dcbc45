"""Whether a threshold that is fitted on half of a set keeps its promise on the other half."""

import random
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from ste_plugin.cascade.outcome import Outcome, answer, entropy
from ste_plugin.cascade.promise import Tested, assess_settings, one_per_prompt
from ste_plugin.judge.comparison import Tokens
from ste_plugin.judging.calibration import sigmoid
from study.both_orders import WAYS
from study.both_orders.results import Result

ERRORS = (0.1, 0.2, 0.3)
SPLITS = 100
CONFIDENCE = 0.95


class Kept(NamedTuple):
    """What became of a promise on a set, over random halves of it."""

    set: str
    error: float
    splits: int
    """Random halves, of all random seeds' judges together."""
    realised: list[float]
    """The error on the other half, where a promise was made."""
    answered: list[float]
    """Share of the other half that was answered there."""


def promises(results: Sequence[Result]) -> list[Kept]:
    """Return what became of each promise of the judges that both orders taught."""
    judges = [each for each in results if each.way == WAYS[0]]
    return [
        Kept(name, error, SPLITS, *_realised([j for j in judges if j.set == name], error))
        for name in dict.fromkeys(each.set for each in judges)
        for error in ERRORS
    ]


def _realised(judges: Sequence[Result], error: float) -> tuple[list[float], list[float]]:
    outcomes = [one_per_prompt(outcomes_of(judge)) for judge in judges]
    realised, answered = [], []
    for split in range(SPLITS):
        pairs = list(outcomes[split % len(outcomes)])
        random.Random(split).shuffle(pairs)
        fitted_on, others = pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
        best = _best(assess_settings(fitted_on, error, CONFIDENCE, 1))
        if best is None:
            continue
        right = [answer(each, best.setting).right for each in others]
        said = [each for each in right if each is not None]
        answered.append(len(said) / len(right))
        realised.append(1 - fmean(said) if said else 0.0)
    return realised, answered


def _best(tested: Sequence[Tested]) -> Tested | None:
    return max((each for each in tested if each.passed), key=lambda t: t.answered, default=None)


def outcomes_of(judge: Result) -> Iterator[Outcome]:
    """Yield what a cascade of this judge alone is told of each pair."""
    for number, (prompt, *margins) in enumerate(judge.margins):
        as_a, as_b = (sigmoid(margin / judge.temperature) for margin in margins)
        agree = (as_a > 0.5) == (as_b > 0.5)
        bits = entropy((as_a + as_b) / 2) if agree else None
        right = as_a > 0.5 if agree else None
        yield Outcome(str(number), judge.set, prompt, bits, [right], [Tokens()])
