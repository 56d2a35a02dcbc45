"""Small axolotl plugins that a recipe can name, where this package is installed beside axolotl.

In a recipe: `plugins: [ste_plugin.axolotl.training_plugins.TargetLogits]`.
"""

from typing import Any

from axolotl.integrations.base import BasePlugin
from axolotl.utils.logging import get_logger

from ste_plugin.engines.local.cpu import multiplies_bfloat16
from ste_plugin.engines.local.decoding import takes

LOG = get_logger("axolotl.ste_plugin")  # axolotl shows its own loggers only
IGNORED = -100
"""Label of a token that is not learnt."""


class SeededAdapter(BasePlugin):  # type: ignore[misc]
    """Draws a new adapter's weights by the recipe's `seed`, which axolotl 0.19 does not."""

    def pre_lora_load(self, cfg: Any, model: Any) -> None:
        """Seed every generator just before the adapter is made."""
        if cfg.seed is not None:
            from transformers import set_seed

            set_seed(cfg.seed)


class OnCpu(BasePlugin):  # type: ignore[misc]
    """Makes `bfloat16: true` train on a CPU: in bfloat16 where the CPU multiplies it, else float32.

    With avx512_bf16 or AMX a step is faster than in float32; without them bfloat16 is emulated,
    many times slower, so there the setting is put off. transformers refuses bfloat16 on a CPU
    unless it is told that one is meant.
    """

    def register(self, cfg: Any) -> None:
        """Put `bfloat16` off, before anything is loaded, where the CPU would emulate it."""
        if cfg.get("bfloat16") and not multiplies_bfloat16():
            cfg["bfloat16"] = False
            LOG.warning("bfloat16: this CPU has no instructions for it; training in float32")

    def get_training_args(self, cfg: Any) -> dict[str, Any]:
        """Return what is added to the training's arguments."""
        return {"use_cpu": True}


class TargetLogits(BasePlugin):  # type: ignore[misc]
    """Leaves out the logits of positions whose next token is not a target in any row of the batch.

    A judge's prompt is long and its judgment short. The last layer and the loss over the prompt's
    tokens cost a third of a step on a small model with a large vocabulary, and nothing is learnt
    from them. The loss stays the same.
    """

    def post_model_load(self, cfg: Any, model: Any) -> None:
        """Make the model leave them out, if its forward can."""
        if takes(model, "logits_to_keep") and not cfg.rl:
            model.register_forward_pre_hook(_only_targets, with_kwargs=True)


def _only_targets(
    module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the call with `logits_to_keep` and the labels that fit it, or None to leave it."""
    labels = kwargs.get("labels")
    if not module.training or labels is None or "logits_to_keep" in kwargs:
        return None
    following = labels.new_full(labels.shape, IGNORED)
    following[:, :-1] = labels[:, 1:]
    kept = (following != IGNORED).any(dim=0).nonzero().squeeze(1)
    return args, {**kwargs, "logits_to_keep": kept, "shift_labels": following[:, kept]}
