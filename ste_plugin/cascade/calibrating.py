"""The temperature of any judge's probabilities, fitted on labelled pairs: `ste calibrate`."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ste_plugin.cascade.labels import FitLabels
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judge import Comparison, Judge
from ste_plugin.judging.calibration import OF_LABELS, Calibration, calibrate, require_judgments


def fit_on_labels(
    judge: Judge, labels: FitLabels, say: Callable[[str], object] = lambda _: None
) -> Calibration:
    """Return the temperature at which a judge's probabilities fit labels best; it is asked once.

    Labels that prefer neither answer tell nothing of it; `say` is told of pairs without
    likelihoods.
    Raises: ConfigError where the judge tells no likelihoods; DataError where these pairs tell no
    temperature; EngineError where it cannot answer.
    """
    counted = [pair for pair in labels.pairs if pair.preferred is not None]
    require_judgments(2 * len(counted), OF_LABELS)
    if judge.format.pointwise or not judge.tells_likelihoods():
        raise ConfigError(
            f"ste calibrate: {judge.name} in format {judge.format.version} tells no likelihoods of "
            "two letters (its engine sees none, or the format rates answers), so that there is "
            "nothing to calibrate. Use engine local or decisions, and a format that compares."
        )
    said = judge.compare_many(pair.shown_to(judge) for pair in counted)
    _tell_of_silent(said, say)
    margins = [
        order.log_odds if pair.preferred == 0 else -order.log_odds
        for pair, comparison in zip(counted, said, strict=True)
        for order in comparison.orders
        if order.log_odds is not None
    ]
    found = calibrate(margins, judge.format.version, OF_LABELS)
    return replace(found, labels_by=labels.by, judge=judge.asked_as.model)


def _tell_of_silent(said: Sequence[Comparison], say: Callable[[str], object]) -> None:
    """Say how many pairs tell nothing, and why. Raises: DataError where none tells anything."""
    silent = [each for each in said if all(order.log_odds is None for order in each.orders)]
    if not silent:
        return
    why = silent[0].problem or silent[0].abstained or "no likelihoods of the letters"
    told = f"{len(silent)} of {len(said)} pairs have no likelihoods (the first: {why})"
    if len(silent) == len(said):
        raise DataError(f"calibration: {told}. Look at one: `ste judge`.")
    say(f"calibration: {told}; they do not count.")
