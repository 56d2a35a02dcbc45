"""The block `ste:` of an axolotl config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from ste_plugin.config import Positive, Strict
from ste_plugin.errors import ConfigError
from ste_plugin.text.settings_errors import validate_settings

AxolotlConfig = Mapping[str, Any]
"""An axolotl config: a mapping that answers every missing key with None, or a plain one."""
SEQUENCE_LEN = 512
"""axolotl's default of `sequence_len` (0.19)."""


class DecisionSettings(Strict):
    """Train a judge that answers by a letter alone, by both orders of a pair at once."""

    brier: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Weight of the squared distance of the right letter's probability from 1."""
    consistency: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Weight of (p(A | one order) + p(A | other order) - 1) squared, 0 of a judge that no order
    sways."""
    calibrate: bool = True
    """Fit one temperature on the held-out pairs when training ends, stored beside the weights."""


class STESettings(Strict):
    """What to learn from a data set of judgments, and how to measure progress."""

    manifest: Path
    """`dataset/manifest.json` of a run's iteration; relative to where axolotl is started."""
    datasets: Literal["replace", "append", "off"] = "replace"
    """Train on its rows alone, add them to the data sets already there, or leave those as is."""
    select_best: Literal["judge_acc", "judge_acc_pc"] | None = None
    """Keep the checkpoint with the best accuracy, or right-in-both-orders, on held-out pairs."""
    merge: bool = True
    """Merge an adapter when training ends."""
    judge_by: Literal["log_probabilities", "generation"] = "log_probabilities"
    """Take the likelier letter as the held-out verdict, or let the judge write its judgment."""
    judge_pairs: Positive = 200
    """Measure on at most this many held-out pairs, each in both orders."""
    judge_batch_size: Positive = 8
    """Prompts at once while it is measured, at most: fewer where together they would have more
    tokens than a batch of the training (`micro_batch_size` x `sequence_len`)."""
    judge_max_new_tokens: Positive | None = None
    """For `generation`; by default what the judge format says."""
    decision: DecisionSettings | None = None
    """Cross entropy on the letter, with Brier terms over both orders of a pair; `{}` is enough."""
    plugins: tuple[str, ...] = ()
    """`hooks.py` files with the judge format, where it is neither built in nor installed."""


class STEArgs(BaseModel):
    """The key that axolotl's own schema gains."""

    ste: STESettings | None = None


def read_settings(cfg: AxolotlConfig) -> STESettings:
    """Return the settings in a config's `ste:` block.

    Raises: ConfigError naming the unknown or wrong key and the nearest right one.
    """
    raw = cfg.get("ste")
    if not isinstance(raw, Mapping):
        raise ConfigError(
            "The config lists ste_plugin.axolotl.STEPlugin but has no block `ste:`. Add\n"
            "ste:\n  manifest: runs/NAME/iter-01/dataset/manifest.json"
        )
    # axolotl's own dictionaries answer every missing key with None
    return validate_settings(STESettings, {key: raw[key] for key in raw}, "ste")


def unless_set(cfg: AxolotlConfig, key: str, wanted: Any, why: str) -> Any:
    """Return the value wanted. Raises: ConfigError where the user set another."""
    if cfg.get(key) not in (None, wanted):
        raise ConfigError(
            f"{key}: found {cfg.get(key)!r}, but {why}. Remove the key, or set {key}: "
            f"{str(wanted).lower()}."
        )
    return wanted
