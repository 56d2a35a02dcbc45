"""The temperature of any judge's probabilities, fitted on labelled pairs: `ste calibrate`."""

from msgspec.structs import replace

from ste_plugin.cascade.labels import FitLabels
from ste_plugin.errors import ConfigError
from ste_plugin.judge import Judge
from ste_plugin.judging.calibration import OF_LABELS, Calibration, calibrate, require_judgments


def fit_on_labels(judge: Judge, labels: FitLabels) -> Calibration:
    """Return the temperature at which a judge's probabilities fit labels best; it is asked once.

    Labels that prefer neither answer tell nothing of it.
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
    margins = [
        order.log_odds if pair.preferred == 0 else -order.log_odds
        for pair, comparison in zip(counted, said, strict=True)
        for order in comparison.orders
        if order.log_odds is not None
    ]
    found = calibrate(margins, judge.format.version, OF_LABELS)
    return replace(found, labels_by=labels.by, judge=judge.asked_as.model)
