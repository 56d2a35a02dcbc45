"""The temperature of a judge that was trained to answer by a letter, fitted on held-out pairs."""

from collections.abc import Sequence

from axolotl.utils.logging import get_logger

from ste_plugin.axolotl.settings import STESettings
from ste_plugin.errors import DataError
from ste_plugin.judging.calibration import Calibration, calibrate
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.odds_metrics import margins_of
from ste_plugin.storage.dataset_manifest import DatasetManifest

LOG = get_logger("axolotl.ste_plugin.calibrating")
_TOLD = "ste: temperature %.3f by %d judgments: Brier score %.3f to %.3f, ECE %.3f to %.3f"


def fit_calibration(
    judged: Sequence[JudgedPair], settings: STESettings, manifest: DatasetManifest
) -> Calibration | None:
    """Return the calibration of the final weights by what they said of the held-out pairs.

    None where none is asked for, or these pairs cannot tell one, which is logged with the cure.
    """
    if settings.decision is None or not settings.decision.calibrate:
        return None
    margins = [margin for pair in judged for margin in margins_of(pair)]
    try:
        found = calibrate(margins, manifest.judge_format["version"])
    except DataError as error:
        LOG.warning("ste: the judge is not calibrated. %s", error)
        return None
    before, after = found.before, found.after
    values = (before.brier, after.brier, before.ece, after.ece)
    LOG.info(_TOLD, found.temperature, found.judgments, *values)
    return found
