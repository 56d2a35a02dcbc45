"""Choosing the checkpoint by the judge: the training arguments for it, for SFT and RL alike."""

from typing import Any

from ste_plugin.axolotl.changes import unless_set
from ste_plugin.axolotl.settings import AxolotlConfig
from ste_plugin.errors import ConfigError

Schedule = tuple[str, float | None]
"""(strategy, steps): `("steps", 50)`, `("epoch", None)`; 0.125 steps: a share of the training."""
BEST: Schedule = ("best", None)
"""A checkpoint whenever an evaluation is the best so far."""


def select_best_args(cfg: AxolotlConfig, metric: str) -> dict[str, Any]:
    """Return training arguments that keep the checkpoint whose `eval_<metric>` is highest.

    They go in through `get_training_args`, since axolotl's RL builder ignores the same keys of the
    config (0.19). Where the config does not say when to evaluate and save, both come every epoch.
    `cfg` is the config as the user wrote it: axolotl's validation fills in what is not set.
    Raises: ConfigError where it sets something that does not go with it.
    """
    evaluate, save = schedules(cfg)
    args = select_best_keys(cfg, metric)
    for kind, (strategy, steps) in (("eval", evaluate), ("save", save)):
        args[f"{kind}_strategy"] = strategy
        if steps is not None:
            args[f"{kind}_steps"] = steps
    return args


def select_best_keys(cfg: AxolotlConfig, metric: str) -> dict[str, Any]:
    """Return the keys that name the metric. Raises: ConfigError where the user named another."""
    why = f"ste.select_best: {metric} chooses the checkpoint"
    return {
        "metric_for_best_model": unless_set(cfg, "metric_for_best_model", f"eval_{metric}", why),
        "greater_is_better": unless_set(cfg, "greater_is_better", True, why),
        "load_best_model_at_end": unless_set(cfg, "load_best_model_at_end", True, why),
    }


def schedules(cfg: AxolotlConfig) -> tuple[Schedule, Schedule]:
    """Return when to evaluate and when to save; what is not set follows the other.

    Raises: ConfigError where the best evaluation could fall between two checkpoints: transformers
    would then keep an older one, or none.
    """
    evaluate, save = schedule(cfg, "eval"), schedule(cfg, "save")
    evaluate = evaluate or (None if save == BEST else save) or ("epoch", None)
    save = save or evaluate
    if evaluate[0] == "no" or save not in (evaluate, BEST):
        raise ConfigError(
            "ste.select_best needs a checkpoint at every evaluation; found evaluation by "
            f"{_words(evaluate)} and saving by {_words(save)}. Remove the keys that say when to "
            "save, or set save_strategy: best."
        )
    return evaluate, save


def schedule(cfg: AxolotlConfig, kind: str) -> Schedule | None:
    """Return when a config says to `eval` or `save`, or None where it does not say."""
    if steps := cfg.get(f"{kind}_steps"):
        return "steps", steps
    times = (cfg.get(f"{kind}s_per_epoch") or 0) * (cfg.get("num_epochs") or 1)
    if times > 1:  # axolotl ignores anything rarer (0.19)
        return "steps", 1 / times
    strategy = cfg.get(f"{kind}_strategy")
    return (str(strategy), None) if strategy and strategy != "steps" else None


def refuse_late_failures(cfg: AxolotlConfig) -> None:
    """Raise ConfigError for what transformers refuses only once the model is loaded."""
    if not cfg.get("save_only_model"):
        return
    state = (cfg.get("fsdp_config") or {}).get("state_dict_type")
    if cfg.get("deepspeed") or state == "SHARDED_STATE_DICT":
        what = "deepspeed" if cfg.get("deepspeed") else f"state_dict_type: {state}"
        raise ConfigError(
            f"save_only_model: true does not go with ste.select_best under {what}, as the best "
            "checkpoint could not be loaded again. Set save_only_model: false."
        )


def _words(schedule: Schedule) -> str:
    return schedule[0] if schedule[1] is None else f"{schedule[1]:g} {schedule[0]}"
