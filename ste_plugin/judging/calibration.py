"""How far a judge's probabilities can be believed, and the temperature that corrects them.

A judgment is told by its margin: the log-odds of the right letter against the wrong one.
"""

import logging
from collections.abc import Sequence
from math import exp, fsum, isfinite, log, log1p, sqrt
from pathlib import Path
from typing import Literal, NamedTuple

from ste_plugin.engines.nested import MAIN
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging.judge_folder import folder_with
from ste_plugin.records import Record
from ste_plugin.storage.forms import read_form
from ste_plugin.storage.jsonl import replace_json

logger = logging.getLogger(__name__)

NAME = "ste_calibration.json"
"""The file beside a judge's weights."""
VERSION = 1
"""Of the file's form."""
BINS = 10
"""Of equal width, from ½ (as likely as not) to 1."""
MIN_JUDGMENTS = 60
"""Fewer leave the temperature uncertain by more than a third."""
HOTTEST = 20.0
"""Temperatures are looked for from 1/20 to 20."""
_STEPS = 60


class Quality(Record, frozen=True):
    """What probabilities were worth on pairs whose right answer is known."""

    nll: float
    """Mean negative log-likelihood of the right letter, in nats."""
    brier: float
    ece: float


class Calibration(Record, frozen=True):
    """The content of `ste_calibration.json`."""

    ste_calibration: int
    """Form of this file."""
    temperature: float
    """What log-odds are divided by."""
    judge_format: str
    """Version of the judge format whose letters it is for."""
    judgments: int
    """How many it was fitted on, two a pair."""
    right: int
    """How many of them were right, which no temperature changes."""
    before: Quality
    after: Quality
    """Both on the judgments that it was fitted on."""
    labels_by: Literal["construction", "people"] = "construction"
    """Who says which letters are right."""
    judge: str = ""
    """Identity of the judge that it is for; empty for the one whose folder this file is in."""


Cures = tuple[str, str]
"""What to do about judgments that are too few, and about those that tell no temperature."""
OF_HELD_OUT: Cures = (
    "Generate with more instructions or a larger dataset.dev_fraction, and do not lower "
    "ste.judge_pairs below that.",
    "calibrate on harder pairs (other pairs.strategies), or on more (dataset.dev_fraction).",
)
OF_LABELS: Cures = ("Label more pairs.", "calibrate on others or more, or take a better judge.")


def require_judgments(count: int, cures: Cures = OF_HELD_OUT) -> None:
    """Raise DataError where so many judgments, two a pair, are too few for a temperature."""
    if count < MIN_JUDGMENTS:
        raise DataError(
            f"calibration: {count} judgments of {count // 2} pairs; expected at least "
            f"{MIN_JUDGMENTS} of {MIN_JUDGMENTS // 2}, or the temperature would be chance. "
            f"{cures[0]}"
        )


def calibrate(
    margins: Sequence[float], judge_format: str, cures: Cures = OF_HELD_OUT
) -> Calibration:
    """Return the calibration of a judge by its margins on pairs whose right answer is known.

    Raises: DataError where these judgments cannot tell a temperature, with numbers and the cure.
    """
    count, right = len(margins), sum(margin > 0 for margin in margins)
    require_judgments(count, cures)
    if odd := sum(not isfinite(margin) for margin in margins):
        raise DataError(
            f"calibration: {odd} of {count} judgments have no probability to correct (one letter "
            "is impossible, or neither is a number). Expected finite log-odds: see whether "
            "training went well (its loss, ste.decision) and how the weights were saved."
        )
    temperature = fit_temperature(margins)
    if temperature is None:
        extreme = "all are right" if right == count else f"only {right} of {count} are right"
        raise DataError(
            f"calibration: no temperature between {1 / HOTTEST:g} and {HOTTEST:g} fits the "
            f"{count} judgments best ({extreme}). Expected a judge that is better than chance and "
            f"errs at times: {cures[1]}"
        )
    return Calibration(
        ste_calibration=VERSION,
        temperature=float(f"{temperature:.4g}"),
        judge_format=judge_format,
        judgments=count,
        right=right,
        before=quality(margins),
        after=quality(margins, temperature),
    )


def fit_temperature(margins: Sequence[float]) -> float | None:
    """Return the temperature of the least negative log-likelihood; None where it is at a bound.

    In 1/T that is convex, so that its slope is bisected. Source: temperature scaling, Guo et al.
    2017 (arXiv 1706.04599).
    """
    low, high = 1 / HOTTEST, HOTTEST
    if _slope(margins, low) >= 0 or _slope(margins, high) <= 0:
        return None
    for _ in range(_STEPS):
        middle = sqrt(low * high)
        low, high = (middle, high) if _slope(margins, middle) < 0 else (low, middle)
    return 1 / sqrt(low * high)


def _slope(margins: Sequence[float], inverse: float) -> float:
    """Return the derivative of the summed negative log-likelihood by the inverse temperature."""
    return -fsum(margin * (1 - sigmoid(inverse * margin)) for margin in margins)


def quality(margins: Sequence[float], temperature: float = 1.0) -> Quality:
    """Return what probabilities are worth at a temperature."""
    scaled = [margin / temperature for margin in margins]
    nll = fsum(map(surprise, scaled)) / len(scaled)
    brier = fsum(map(brier_of, scaled)) / len(scaled)
    return Quality(nll=nll, brier=brier, ece=calibration_error(scaled))


def surprise(margin: float) -> float:
    """Return the negative log-likelihood of the right letter, in nats."""
    return log1p(exp(-margin)) if margin > 0 else log1p(exp(margin)) - margin


def brier_of(margin: float) -> float:
    """Return the squared distance of the right letter's probability from 1.

    Source: Brier 1950, in the form for two outcomes: 0 is certain and right, ¼ says one half.
    """
    return (1 - sigmoid(margin)) ** 2


def calibration_error(margins: Sequence[float]) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, bin by bin.

    Confidence is the likelier letter's probability; an even one is half right. Bins count by their
    judgments. Source: Naeini et al. 2015, as in Guo et al. 2017 (arXiv 1706.04599), equation 3.
    """
    excess = [0.0] * BINS
    for margin in margins:
        index, gap = confidence_gap(margin)
        excess[index] += gap
    return fsum(map(abs, excess)) / len(margins)


class Bin(NamedTuple):
    """Judgments of about the same confidence."""

    judgments: int = 0
    confidence: float = 0.0
    """Mean probability of the likelier letter."""
    accuracy: float = 0.0
    """How many of them are right; an even one is half right."""


def reliability(margins: Sequence[float]) -> list[Bin]:
    """Return the BINS bins of a reliability diagram, from as likely as not to certain."""
    members: list[list[float]] = [[] for _ in range(BINS)]
    for margin in margins:
        members[confidence_gap(margin)[0]].append(margin)
    return [_bin(inside) if inside else Bin() for inside in members]


def _bin(margins: Sequence[float]) -> Bin:
    sure = fsum(sigmoid(abs(margin)) for margin in margins) / len(margins)
    gap = fsum(confidence_gap(margin)[1] for margin in margins) / len(margins)
    return Bin(len(margins), sure, sure - gap)


def confidence_gap(margin: float) -> tuple[int, float]:
    """Return the bin of a judgment's confidence, and confidence minus how right it is."""
    confidence = sigmoid(abs(margin))
    right = 0.5 if margin == 0 else float(margin > 0)
    return min(BINS - 1, int((2 * confidence - 1) * BINS)), confidence - right


def sigmoid(log_odds: float) -> float:
    """Return the probability of log-odds."""
    return 1 / (1 + exp(-log_odds)) if log_odds >= 0 else exp(log_odds) / (1 + exp(log_odds))


def at_temperature(log_likelihoods: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Return the log-likelihoods of choices at a temperature; the likeliest one stays that.

    Those of impossible choices stay impossible.
    """
    if temperature == 1:
        return tuple(log_likelihoods)
    scaled = [each / temperature for each in log_likelihoods]
    highest = max(scaled)
    if highest == float("-inf"):
        return tuple(log_likelihoods)
    total = highest + log(fsum(exp(each - highest) for each in scaled))
    return tuple(each - total for each in scaled)


def write_calibration(folder: Path, calibration: Calibration | None) -> None:
    """Write what a judge was calibrated by beside its weights; where there is none, no old one."""
    if calibration is None:
        (folder / NAME).unlink(missing_ok=True)
    else:
        replace_json(folder / NAME, calibration.to_dict())


def read_calibration(model: str | Path, revision: str = MAIN) -> Calibration | None:
    """Return what a model's folder says of its probabilities; None where it says nothing.

    Raises: DataError where the file is damaged; ConfigError where a newer version wrote it.
    """
    path = folder_with(model, NAME, revision) / NAME
    return _read(path) if path.is_file() else None


def _read(path: Path) -> Calibration:
    content = read_form(path, "ste_calibration", VERSION)
    try:
        found = Calibration.from_dict(content)
        if not 0 < found.temperature < float("inf"):
            raise DataError(f"temperature: found {found.temperature}, expected one above 0")
    except (DataError, TypeError) as error:
        raise DataError(
            f"{path}: not what a training or `ste calibrate` writes ({error}). Get the file again, "
            "or go without it: probabilities are then as the model gives them."
        ) from error
    return found


def temperature_of(model: str | Path, judge_format: str, revision: str = MAIN) -> float:
    """Return what a model's log-odds are divided by in a judge format of this version.

    It is 1 where the model was not calibrated, or was in another format; other words of the format
    of that name are warned of.
    Raises: as `read_calibration` does.
    """
    if (found := read_calibration(model, revision)) is None:
        return 1.0
    if found.judge_format == judge_format:
        return found.temperature
    if found.judge_format.rpartition("-")[0] == judge_format.rpartition("-")[0]:
        logger.warning(
            "%s: calibrated in the format %s, and asked in %s, which has other words: its "
            "probabilities are as the model gives them. Fit them to labels: `ste calibrate`.",
            *(model, found.judge_format, judge_format),
        )
    return 1.0


def temperature_in(path: Path, judge: str, judge_format: str) -> float:
    """Return what the log-odds of a judge of this identity are divided by, by a file for it.

    Raises: ConfigError where there is no such file, or it is for another judge or format; as
    `read_calibration` does.
    """
    if not path.is_file():
        raise ConfigError(f"calibration: no such file {path}; expected what `ste calibrate` wrote.")
    found = _read(path)
    if not found.judge:
        raise ConfigError(
            f"{path}: it is for the judge in whose folder it lies, which reads it without being "
            "told. For another one fit its own: `ste calibrate`."
        )
    known = {"judge": (found.judge, judge), "format": (found.judge_format, judge_format)}
    for name, (fitted_for, asked) in known.items():
        if fitted_for != asked:
            raise ConfigError(
                f"{path}: fitted for the {name} {fitted_for}; found {asked}, whose probabilities "
                "it says nothing about. Leave it out, or fit one for this: `ste calibrate`."
            )
    return found.temperature
