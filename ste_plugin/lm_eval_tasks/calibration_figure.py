"""How far letters' probabilities are from how often they are right, over all pairs of a task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from ste_plugin.judging.calibration import BINS, confidence_gap
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.odds_metrics import margins_of

ECE = "ece"

Gap = tuple[int, float]
"""The bin of a prompt's confidence, and confidence minus how right it was."""


@dataclass(frozen=True, slots=True)
class CalibrationFigure:
    """Expected calibration error: |confidence - accuracy| of ten bins, weighted by their prompts.

    Source: Naeini et al. 2015, as in Guo et al. 2017 (arXiv 1706.04599), equation 3.
    """

    higher_is_better: bool = False

    def term(self, pair: JudgedPair) -> tuple[Gap, ...]:
        """Return what a pair adds to it: a gap per order that was measured."""
        return tuple(map(confidence_gap, margins_of(pair))) if pair.fits else ()

    def value(self, terms: Iterable[Sequence[Sequence[Any]]]) -> float | None:
        """Return the figure from the terms of all pairs, or None where no pair adds to it."""
        gaps = [(int(index), float(gap)) for term in terms for index, gap in term]
        if not gaps:
            return None
        of_bins = (fsum(gap for at, gap in gaps if at == index) for index in range(BINS))
        return fsum(map(abs, of_bins)) / len(gaps)

    def error(self, terms: Sequence[Any], seed: int = 0) -> None:
        """Return None: resamples of an absolute value are biased upwards, and told no interval."""
