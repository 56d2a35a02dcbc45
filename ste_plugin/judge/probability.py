"""How likely the first of two answers is better, from likelihoods or from samples."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import exp, fsum

from ste_plugin.judging import JudgeFormat, Said
from ste_plugin.judging.calibration import at_temperature

Spread = Mapping[Said, float]
"""What a judge may say to one prompt → how likely that is; adds up to 1."""

_SHARE = {"A": 1.0, "B": 0.0, "tie": 0.5}


def spread_of(
    judge_format: JudgeFormat,
    log_likelihoods: Sequence[Sequence[float]],
    temperature: float = 1.0,
) -> Spread:
    """Return the mean over samples of what is said, each by the likelihoods of the choices.

    log_likelihoods: (samples, choices), in the order of the format's `choices`. `temperature`: what
    the judge was calibrated by.
    """
    says = list(judge_format.choices.values())
    spread: dict[Said, float] = {}
    for sample in log_likelihoods:
        calibrated = at_temperature(sample, temperature)
        for said, log_likelihood in zip(says, calibrated, strict=True):
            spread[said] = spread.get(said, 0.0) + exp(log_likelihood) / len(log_likelihoods)
    return spread


def shares_of(said: Sequence[Said]) -> Spread:
    """Return what replies say, each by its share of them; one that says nothing counts as None."""
    return {each: said.count(each) / len(said) for each in dict.fromkeys(said)}


def first_is_better(judge_format: JudgeFormat, own: Spread, other: Spread) -> float | None:
    """Return the chance that the answer shown first in `own`'s prompt is better; a tie is a half.

    In a format that compares, `own` alone tells. What is no verdict is left out; None where nothing
    else is there.
    """
    others = other if judge_format.pointwise else {None: 1.0}
    told = [
        (_SHARE[verdict], p * q)
        for (said, p), (theirs, q) in product(own.items(), others.items())
        if (verdict := judge_format.decide(said, theirs)) is not None
    ]
    total = fsum(weight for _, weight in told)
    return fsum(share * weight for share, weight in told) / total if total > 0 else None
