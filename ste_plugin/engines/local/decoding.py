"""Reading a batch of prompts and writing their samples, token by token."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ste_plugin.engines.base import Sampling
from ste_plugin.engines.token_sampler import draw

_WORTH_SHARING = 16
"""Tokens that prompts begin with in common, from which these are read once for all of them."""


class Read(NamedTuple):
    """What a model knows after its prompts: one row each."""

    logits: Tensor
    """(rows, vocabulary), of the next token."""
    cache: Any
    mask: Tensor
    """(rows, tokens in the cache): 1 where there is a token, 0 where there is padding."""

    def rows(self, chosen: Tensor) -> "Read":
        """Return these rows, any of them several times; the cache is changed in place."""
        self.cache.batch_select_indices(chosen)
        return Read(self.logits[chosen], self.cache, self.mask[chosen])


def read(model: Any, prompts: Sequence[list[int]]) -> Read:
    """Return what the model knows after these prompts; what all of them begin with is read once."""
    shared = _shared_tokens(model, prompts)
    rests = [ids[shared:] for ids in prompts]
    width, device = max(map(len, rests)), model.device
    ids = torch.tensor([[0] * (width - len(r)) + r for r in rests], device=device)
    own = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rests], device=device)
    mask = torch.cat([own.new_ones(len(rests), shared), own], -1)
    out = model(
        input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, shared:],
        past_key_values=_beginning(model, prompts, shared), use_cache=True, logits_to_keep=1,
    )  # fmt: skip
    return Read(out.logits[:, -1], out.past_key_values, mask)


def _shared_tokens(model: Any, prompts: Sequence[list[int]]) -> int:
    """Return how many tokens to read once for all; 0 where that is not worth it, or not exact.

    Padding comes to lie between the shared beginning and the rest. Attention to everything skips
    it; sliding windows and recurrent layers would not.
    """
    if len(prompts) == 1:
        return 0
    pairs = zip(min(prompts), max(prompts), strict=False)  # what these share, all share
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    shared = min(alike, min(map(len, prompts)) - 1)
    layers = DynamicCache(config=model.config).layers
    plain = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
    return shared if plain and shared >= _WORTH_SHARING else 0


def _beginning(model: Any, prompts: Sequence[list[int]], shared: int) -> Any:
    if not shared:
        return None
    ids = torch.tensor([prompts[0][:shared]], device=model.device)
    cache = model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
    cache.batch_repeat_interleave(len(prompts))
    return cache


def decode(
    model: Any, start: Read, how: Sampling, chances: Tensor, stop: Tensor
) -> list[list[int]]:
    """Return the tokens of every row, its stop token included; rows that ended leave the batch.

    chances: (rows, tokens at most) uniform numbers in [0, 1), which alone decide the draws.
    """
    rows, most = chances.shape
    device = start.logits.device
    written = torch.zeros(rows, most, dtype=torch.long, device=device)
    lengths = torch.full((rows,), most, device=device)
    active = torch.arange(rows, device=device)
    mask = torch.cat([start.mask, start.mask.new_ones(rows, most)], -1)
    positions, width = start.mask.sum(-1, keepdim=True), start.mask.shape[-1]
    logits, cache = start.logits, start.cache
    for step in range(most):
        tokens = draw(logits, chances[active, step], how.temperature, how.top_p)
        written[active, step] = tokens
        ended = torch.isin(tokens, stop)
        lengths[active[ended]] = step + 1
        if step + 1 == most or bool(ended.all()):
            break
        if bool(ended.any()):
            going = (~ended).nonzero()[:, 0]
            cache.batch_select_indices(going)
            active, tokens, mask, positions = (t[going] for t in (active, tokens, mask, positions))
        out = model(
            input_ids=tokens[:, None], attention_mask=mask[:, : width + step + 1],
            position_ids=positions + step, past_key_values=cache, use_cache=True,
        )  # fmt: skip
        logits = out.logits[:, -1]
    return [row[:n] for row, n in zip(written.tolist(), lengths.tolist(), strict=True)]
