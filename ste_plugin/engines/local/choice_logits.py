"""What a model thinks of each choice behind a prompt, kept for the samples that are drawn later."""

import hashlib
from array import array
from collections import OrderedDict

from torch import Tensor

from ste_plugin.engines.local.batches import Prompt

_MAX_PROMPTS = 1 << 17
"""Kept at once, of some 400 bytes each."""


class ChoiceLogits:
    """The logits of choices by prompt: later waves of samples need no second reading of it."""

    def __init__(self) -> None:
        self._logits: OrderedDict[bytes, Tensor] = OrderedDict()

    def holds(self, prompt: Prompt) -> bool:
        """Return whether the logits of a prompt's choices are known."""
        return bool(prompt.choices) and _key(prompt) in self._logits

    def keep(self, prompt: Prompt, logits: Tensor) -> None:
        """Keep the logits of a prompt's choices; of too many prompts the latest."""
        self._logits[_key(prompt)] = logits.clone()
        if len(self._logits) > _MAX_PROMPTS:
            self._logits.popitem(last=False)

    def get(self, prompt: Prompt) -> Tensor:
        """Return the logits of a prompt's choices, in their order."""
        return self._logits[_key(prompt)]


def _key(prompt: Prompt) -> bytes:
    """Return what tells a prompt and its choices from others."""
    tokens = array("q", [*prompt.ids, -1, *prompt.choices])
    return hashlib.blake2b(tokens.tobytes(), digest_size=16).digest()
