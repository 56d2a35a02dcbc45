"""What a training by reward earned, and whether there was anything to learn from it."""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

_MEANS = {"alike": "frac_reward_zero_std", "cut_off": "completions/clipped_ratio"}
"""Figure → TRL's name of it in the trainer's log, a share between 0 and 1."""


def read_rewards(log: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return what judgments earned, from a trainer's log; nothing where it trains by no reward.

    `first` and `last`: the mean reward in the first and in the last quarter of the log, at least of
    a line of it. `alike`: the share of prompts whose judgments earned all the same. `cut_off`: the
    share of judgments that the token limit cut off.
    """
    lines = [line for line in log if line.get("reward") is not None]
    if not lines:
        return {}
    rewards = [float(line["reward"]) for line in lines]
    quarter = max(1, len(lines) // 4)
    shares = {name: fmean(line.get(key) or 0.0 for line in lines) for name, key in _MEANS.items()}
    return {"first": fmean(rewards[:quarter]), "last": fmean(rewards[-quarter:]), **shares}


def reward_problem(rewards: Mapping[str, float], *, masks_cut_off: bool) -> str:
    """Return why nothing was to be learnt from the rewards, and the cure; empty where there was.

    `masks_cut_off`: judgments that are cut off are not learnt from
    (`trl.mask_truncated_completions`).
    """
    if not rewards:
        return ""
    if masks_cut_off and rewards["cut_off"] >= 1:
        return (
            "every judgment was cut off at trl.max_completion_length, and those are not learnt "
            "from (trl.mask_truncated_completions). Raise trl.max_completion_length, or train by "
            "SFT first, which teaches a judge to come to an end"
        )
    if rewards["alike"] >= 1:
        return (
            f"the judgments of each prompt all earned the same (on average {rewards['last']:.2f}), "
            "so that none was better than another. Where that is 0, the judge states no verdict "
            "that is right: train by SFT first (training.recipe: [sft-lora-8b, grpo-lora-8b]). "
            "Otherwise raise trl.temperature or trl.num_generations, or make harder pairs"
        )
    return ""
