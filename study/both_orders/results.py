"""What was measured of judges on sets, kept in `results.jsonl` beside this, and its figures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from ste_plugin.judging.calibration import brier_of, calibration_error
from study.inputs import read

RESULTS = Path(__file__).with_name("results.jsonl")
"""A row a way, random seed and set."""
Margins = tuple[str, float, float]
"""Key of a pair's prompt, and log-odds of the right letter where the better answer is A, and B."""


class Result(NamedTuple):
    """A judge on a set."""

    way: str
    seed: int
    set: str
    temperature: float
    """What its log-odds are divided by; 1 for one that is not calibrated."""
    margins: Sequence[Margins]


class Taught(NamedTuple):
    """What judges that can be held against each other have in common."""

    model: str
    kind: str
    """Of the pairs: constructed, or the name of a set whose labels people gave."""
    data_set: str
    """Key of its manifest."""
    pairs: int
    epochs: float
    """Of both orders; twice as many of single ones."""
    measured: int
    """Pairs of each labelled set."""


def read_results(path: Path = RESULTS) -> dict[Taught, list[Result]]:
    """Return what was measured so far, by what the judges have in common."""
    found: dict[Taught, list[Result]] = {}
    for row in read(path) if path.exists() else ():
        taught = Taught(**{key: row[key] for key in Taught._fields})
        result = Result(**{key: row[key] for key in Result._fields})
        found.setdefault(taught, []).append(result)
    return found


Figure = Callable[[Sequence[Margins], float], float]


def accuracy(margins: Sequence[Margins], _: float) -> float:
    """Return the share of prompts whose right letter is likelier."""
    return fmean((first > 0) + (second > 0) for _, first, second in margins) / 2


def both_right(margins: Sequence[Margins], _: float) -> float:
    """Return the share of pairs that are right in both orders."""
    return fmean(first > 0 and second > 0 for _, first, second in margins)


def flips(margins: Sequence[Margins], _: float) -> float:
    """Return the share of pairs of which another answer is preferred once the order is turned."""
    return fmean((first > 0) != (second > 0) for _, first, second in margins)


def error_as_it_says(margins: Sequence[Margins], _: float) -> float:
    """Return the calibration error of the probabilities as the model gives them."""
    return calibration_error([m for _, *both in margins for m in both])


def error_as_told(margins: Sequence[Margins], temperature: float) -> float:
    """Return the calibration error at the judge's temperature."""
    return calibration_error([m / temperature for _, *both in margins for m in both])


def brier_as_told(margins: Sequence[Margins], temperature: float) -> float:
    """Return the mean Brier score of the probabilities at the judge's temperature."""
    return fmean(brier_of(m / temperature) for _, *both in margins for m in both)
