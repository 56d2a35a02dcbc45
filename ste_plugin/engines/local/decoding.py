"""Prefill of a batch of prompts, and decoding of their samples token by token."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from itertools import takewhile
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ste_plugin.engines.base import Sampling
from ste_plugin.engines.token_sampler import draw

_HALF = (torch.bfloat16, torch.float16)
_MIN_SHARED_TOKENS = 16
"""Tokens that prompts begin with in common, from which on the prefill of these is shared."""


class PrefilledBatch(NamedTuple):
    """A model's state after its prompts: one row each."""

    logits: Tensor
    """(rows, vocabulary), of the next token."""
    cache: Any
    mask: Tensor
    """(rows, tokens in the cache): 1 where there is a token, 0 where there is padding."""

    def rows(self, chosen: Tensor) -> "PrefilledBatch":
        """Return these rows, any of them repeatedly; the cache is changed in place."""
        _select_rows(self.cache, chosen)
        return PrefilledBatch(self.logits[chosen], self.cache, self.mask[chosen])


def prefill(model: Any, prompts: Sequence[list[int]]) -> PrefilledBatch:
    """Return the model's state after these prompts; their common beginning is computed once."""
    shared = _shared_tokens(model, prompts)
    own = [ids[shared:] for ids in prompts]
    width, device = max(map(len, own)), model.device
    ids = torch.tensor([[0] * (width - len(r)) + r for r in own], device=device)
    own_mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in own], device=device)
    mask = torch.cat([own_mask.new_ones(len(own), shared), own_mask], -1)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions[:, shared:],
        past_key_values=_prefill_shared(model, prompts, shared),
        use_cache=True,
        logits_to_keep=1,
    )
    return PrefilledBatch(out.logits[:, -1], out.past_key_values, mask)


def _shared_tokens(model: Any, prompts: Sequence[list[int]]) -> int:
    """Return how many tokens to compute once for all; 0 where that gains little, or is not exact.

    Padding then lies between the shared beginning and the rest. Full attention skips it; sliding
    windows and recurrent layers would not.
    """
    if len(prompts) == 1:
        return 0
    pairs = zip(min(prompts), max(prompts), strict=False)  # what these share, all share
    equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    shared = min(equal, min(map(len, prompts)) - 1)
    return shared if shared >= _MIN_SHARED_TOKENS and can_share(model) else 0


def can_share(model: Any) -> bool:
    """Return whether the state of a text is the same whatever follows it, padding between them.

    Every layer must attend to all tokens before, and know their places by `position_ids` alone.
    """
    config = model.config.get_text_config()
    layers = DynamicCache(config=config).layers
    return (
        bool(layers)
        and all(type(layer) is DynamicLayer for layer in layers)
        and "local" not in (getattr(config, "attention_layers", None) or ())  # GPT-Neo
        and takes(model, "position_ids")  # MPT counts padding
        and not _turns_by_length(config)
    )


def takes(model: Any, name: str) -> bool:
    """Return whether a model, or what an adapter adapts, has a parameter of this name to call."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return name in signature(inner.forward).parameters


def _turns_by_length(config: Any) -> bool:
    """Return whether rotary embeddings depend on how long the text is, as far as it is known."""
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = (rope.get("rope_type"), rope.get("type"))
    return any(kind in ("dynamic", "longrope", "su") for kind in kinds)


def _prefill_shared(model: Any, prompts: Sequence[list[int]], shared: int) -> Any:
    if not shared:
        return None
    ids = torch.tensor([prompts[0][:shared]], device=model.device)
    cache = model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
    cache.batch_repeat_interleave(len(prompts))
    return cache


def _select_rows(cache: Any, chosen: Tensor) -> None:
    """Change a cache to these of its rows, any of them repeatedly.

    By what beam search does: in transformers 5.16 `batch_select_indices` is unknown to layers that
    keep a state instead of keys and values, or leaves that state as it was.
    """
    cache.reorder_cache(chosen)


@contextmanager
def exact_head(model: Any, tokens: list[int] | None = None) -> Iterator[None]:
    """Have a model's last layer compute in float32 for a while, for these tokens or for all.

    The logits of half-precision weights lie an eighth or a quarter apart at their usual size, so
    that a weak judge's two letters come out as exactly as likely as each other in a quarter of its
    prompts. Only the few positions that are looked at are worth it: weights are cast at each call.
    """
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.weight.dtype not in _HALF:
        yield
        return

    def in_float32(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        chosen = slice(None) if tokens is None else tokens
        bias = None if module.bias is None else module.bias[chosen].float()
        exact = torch.nn.functional.linear(inputs[0].float(), module.weight[chosen].float(), bias)
        if tokens is None:
            return exact
        logits = output.float()
        logits[..., tokens] = exact
        return logits

    hook = head.register_forward_hook(in_float32)
    try:
        yield
    finally:
        hook.remove()


def decode(
    model: Any, start: PrefilledBatch, sampling: Sampling, uniforms: Tensor, stop_ids: Tensor
) -> list[list[int]]:
    """Return the tokens of every row, its stop token included; rows that ended leave the batch.

    uniforms: (rows, maximum of tokens), numbers in [0, 1), which alone decide the draws.
    """
    rows, max_tokens = uniforms.shape
    device = start.logits.device
    generated = torch.zeros(rows, max_tokens, dtype=torch.long, device=device)
    lengths = torch.full((rows,), max_tokens, device=device)
    active = torch.arange(rows, device=device)
    mask = torch.cat([start.mask, start.mask.new_ones(rows, max_tokens)], -1)
    positions, width = start.mask.sum(-1, keepdim=True), start.mask.shape[-1]
    logits, cache = start.logits, start.cache
    for step in range(max_tokens):
        tokens = draw(logits, uniforms[active, step], sampling.temperature, sampling.top_p)
        generated[active, step] = tokens
        ended = torch.isin(tokens, stop_ids)
        lengths[active[ended]] = step + 1
        if step + 1 == max_tokens or bool(ended.all()):
            break
        if bool(ended.any()):
            kept = (~ended).nonzero()[:, 0]
            _select_rows(cache, kept)
            active, tokens, mask, positions = (t[kept] for t in (active, tokens, mask, positions))
        out = model(
            input_ids=tokens[:, None],
            attention_mask=mask[:, : width + step + 1],
            position_ids=positions + step,
            past_key_values=cache,
            use_cache=True,
        )
        logits = out.logits[:, -1]
    return [row[:n] for row, n in zip(generated.tolist(), lengths.tolist(), strict=True)]
