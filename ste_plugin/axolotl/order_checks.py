"""Settings of GRPO by which the two orders of a pair come apart before our reward sees them."""

from collections.abc import Iterator
from math import gcd

from ste_plugin.axolotl.settings import AxolotlConfig

REWARD = "ste_plugin.axolotl.rewards.judge_reward"
"""The reward that looks at both orders of a pair."""
_STEPS = "gradient_accumulation_steps"
_NUM_GENERATIONS = 8
"""TRL's default of `num_generations`."""
_PARTING = {
    # these two are the only way to a trainer that streams scores or shares rewards out to workers
    "use_data_producer": "deals the judgments of a prompt out to all processes",
    "async_prefetch": "draws the prompts of a batch at random",
    "generation_batch_size": "counts the judgments of all processes together, of which the reward "
    "sees those of one",
}
"""Key of `trl:` → what it does with the prompts of a pair (axolotl 0.19, TRL 1.9)."""


def order_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield why GRPO's reward would not find the two orders of a pair in one batch."""
    trl = cfg.get("trl") or {}
    if cfg.get("rl") != "grpo" or REWARD not in (trl.get("reward_funcs") or []):
        return
    for key, why in _PARTING.items():
        if trl.get(key):
            yield _parted(f"trl.{key}", why)
    samples = trl.get("num_generations") or _NUM_GENERATIONS
    micro, steps = (cfg.get(key) or 1 for key in ("micro_batch_size", _STEPS))
    batch = micro * steps
    if batch % (2 * samples):
        least = 2 * samples // gcd(2 * samples, micro)
        yield (
            f"{_STEPS}: a batch of {batch} judgments holds {batch / samples:g} prompts of "
            f"{samples} judgments (trl.num_generations); expected a multiple of 2 x {samples}, or "
            "the two orders of a pair come apart, and the reward for both is never given. Write "
            f"{_STEPS}: {least} (with micro_batch_size: {micro})."
        )


def _parted(key: str, why: str) -> str:
    return (
        f"{key}: {why}, so that the two orders of a pair come apart, and the reward for both is "
        "not given. Remove the key, or leave judge_reward out of trl.reward_funcs."
    )
