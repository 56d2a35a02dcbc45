"""How axolotl's supervised training gets our rows: `type: ste_plugin.axolotl.sft_strategy`."""

from typing import Any

from axolotl.prompt_tokenizers import IGNORE_INDEX, PromptTokenizingStrategy

from ste_plugin.axolotl.both_orders import pair_columns
from ste_plugin.axolotl.strategies import (
    Row,
    kept_by,
    manifest_of,
    rendering,
    row_tokens,
    template_of,
)
from ste_plugin.engines.chat import ChatTemplate


class JudgmentStrategy(PromptTokenizingStrategy):  # type: ignore[misc]
    """Makes tokens of a row: the prompt as it is asked, then the whole judgment, which is learnt.

    With axolotl's `train_on_inputs` the prompt is learnt, too.
    """

    def __init__(
        self, template: ChatTemplate, cfg: Any, rendering: str, *, by_pairs: bool = False
    ) -> None:
        """`by_pairs`: rows say which pair they are from."""
        super().__init__(None, template.tokenizer, bool(cfg.train_on_inputs), cfg.sequence_len)
        self.template = template
        self.kept_by = kept_by(rendering)
        self.by_pairs = by_pairs

    def tokenize_prompt(self, prompt: Row) -> dict[str, Any]:
        """Return the tokens of one row, their labels, and which pair it is from where asked for."""
        asked, judgment = row_tokens(self.template, prompt)
        masked = asked if self.train_on_inputs else [IGNORE_INDEX] * len(asked)
        return {
            "input_ids": asked + judgment,
            "attention_mask": [1] * len(asked + judgment),
            "labels": masked + judgment,
            **(pair_columns(prompt) if self.by_pairs else {}),
        }


def load(tokenizer: Any, cfg: Any) -> JudgmentStrategy:
    """Return the strategy for the data set that a config's manifest describes."""
    manifest = manifest_of(cfg)
    by_pairs = cfg["ste"].get("decision") is not None
    name = rendering(manifest, by_pairs=by_pairs)
    return JudgmentStrategy(template_of(tokenizer, manifest), cfg, name, by_pairs=by_pairs)
