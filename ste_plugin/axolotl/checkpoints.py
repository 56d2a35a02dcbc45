"""Choosing the checkpoint by the judge: the training arguments for it, for SFT and RL alike."""

import math
from collections.abc import Iterator
from typing import Any

from ste_plugin.axolotl.settings import AxolotlConfig, unless_set
from ste_plugin.errors import ConfigError

Schedule = tuple[str, float | None]
"""(strategy, steps): `("steps", 50)`, `("epoch", None)`; 0.125 steps: a share of the training."""
BEST: Schedule = ("best", None)
"""A checkpoint whenever an evaluation is the best so far."""
NEVER: Schedule = ("no", None)


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

    Saving follows evaluating where both are set: transformers would refuse the pair, or the best
    evaluation could fall between two checkpoints.
    Raises: ConfigError where nothing is to be evaluated.
    """
    evaluate, save = schedule(cfg, "eval"), schedule(cfg, "save")
    evaluate = evaluate or (None if save in (BEST, NEVER) else save) or ("epoch", None)
    if evaluate == NEVER:
        raise ConfigError(
            "ste.select_best needs evaluations to choose by; found eval_strategy: no. Remove "
            "eval_strategy, or remove ste.select_best."
        )
    return evaluate, save if save == BEST else evaluate


def saving_keys(cfg: AxolotlConfig) -> dict[str, Any]:
    """Return the keys that make saving follow evaluating, where a config says otherwise."""
    save = schedule(cfg, "save")
    evaluate, follows = schedules(cfg)
    if save in (None, follows):
        return {}
    strategy, steps = evaluate
    return {"save_strategy": strategy, "save_steps": steps, "saves_per_epoch": None}


def schedule(cfg: AxolotlConfig, kind: str) -> Schedule | None:
    """Return when a config says to `eval` or `save`, or None where it does not say."""
    if steps := cfg.get(f"{kind}_steps"):
        return "steps", steps
    counts = (cfg.get(f"{kind}s_per_epoch") or 0, cfg.get("num_epochs") or 1)
    is_counted = all(isinstance(count, int | float) for count in counts)  # else axolotl refuses it
    if is_counted and (times := math.prod(counts)) > 1:  # axolotl ignores anything rarer (0.19)
        return "steps", 1 / times
    strategy = cfg.get(f"{kind}_strategy")
    return (str(strategy), None) if strategy and strategy != "steps" else None


def loading_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield what transformers refuses only once the model is loaded."""
    if not cfg.get("save_only_model"):
        return
    state = (cfg.get("fsdp_config") or {}).get("state_dict_type")
    if cfg.get("deepspeed") or state == "SHARDED_STATE_DICT":
        what = "deepspeed" if cfg.get("deepspeed") else f"state_dict_type: {state}"
        yield (
            f"save_only_model: true does not go with ste.select_best under {what}, as the best "
            "checkpoint could not be loaded again. Set save_only_model: false."
        )
