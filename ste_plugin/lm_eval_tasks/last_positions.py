"""Likelihoods by lm-eval's hf from the positions they stand at. Only lm-eval imports this module.

lm-eval has a model write the logits of every position of a batch, and takes their softmax: 8
prompts of 4,096 tokens over Gemma's 262,144 are 50 GB, of which a letter needs one position, and
those that a shorter prompt of its batch is padded by. Where prompts are shared (`prompt_states`)
few are asked for so; of models that attend to a window all.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ste_plugin.engines.local.decoding import exact_head, takes

_PADDING = 0
"""What lm-eval fills the rows of a batch with, on the right."""
MOST_BYTES = 1 << 30
"""Of a batch's logits behind its shortest prompt; those of prompts less alike are asked apart."""


class LastPositions:
    """A backend's `_loglikelihood_tokens` that has logits of the last positions alone."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.ask = backend, backend._loglikelihood_tokens

    def __call__(self, requests: Sequence[Any], *args: Any, **settings: Any) -> Any:
        """Return what the backend returns: the likelihood of every request, in their order."""
        size = self.backend.batch_size
        if size == "auto":  # the size is tried without padding: all logits
            return self.ask(requests, *args, **settings)
        vocabulary = self.backend.model.get_output_embeddings().weight.shape[0]
        spread = MOST_BYTES // (4 * int(size) * vocabulary)
        found: list[Any] = [None] * len(requests)
        for alike in of_like_length([len(before) for _, before, _ in requests], spread):
            answers = self._ask([requests[i] for i in alike], *args, **settings)
            for i, answer in zip(alike, answers, strict=True):
                found[i] = answer
        return found

    def _ask(self, requests: Sequence[Any], *args: Any, **settings: Any) -> Any:
        longest = max(len(after) for _, _, after in requests)

        def keep(_: Any, inputs: tuple[Any, ...], told: dict[str, Any]) -> Any:
            return inputs, told | {"logits_to_keep": longest + padding(inputs[0])}

        hook = self.backend.model.register_forward_pre_hook(keep, with_kwargs=True)
        try:
            with exact_head(self.backend.model):
                return self.ask(requests, *args, **settings)
        finally:
            hook.remove()


def of_like_length(lengths: Sequence[int], spread: int) -> list[list[int]]:
    """Return the indices in groups whose lengths differ by at most `spread`, the longest first."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not groups or lengths[groups[-1][0]] - lengths[index] > spread:
            groups.append([])
        groups[-1].append(index)
    return groups


def padding(rows: torch.Tensor) -> int:
    """Return how many of the last positions are padding in some row; a few too many at times."""
    behind = (rows != _PADDING).int().flip(-1).argmax(-1)  # a row's first token from its end
    return int(behind.max())


def keep_last_positions(backend: Any) -> None:
    """Make an hf backend ask for the logits that it looks at, if its model can leave others out."""
    if isinstance(backend._loglikelihood_tokens, LastPositions) or backend.backend != "causal":
        return
    if takes(backend.model, "logits_to_keep"):
        backend._loglikelihood_tokens = LastPositions(backend)
