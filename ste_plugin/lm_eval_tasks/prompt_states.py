"""Every prompt read once by lm-eval's hf. Only lm-eval imports this module.

lm-eval reads a prompt again for each of its samples and for the letters behind it, and what all
prompts of a batch begin with in each of them. So two methods of that backend are wrapped, once: a
batch of prompts is read, the letters behind them are scored, and generation goes on from there.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ste_plugin.engines.local.decoding import PrefilledBatch, can_share, exact_head, prefill, takes

logger = logging.getLogger(__name__)

_TRIAL_TOKENS = 32
_SHARED_SETTINGS = frozenset(
    ("attention_mask", "do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty")
)
"""Settings of generation that go on from a given state; beams and others begin by themselves."""

Tokens = tuple[int, ...]
Likelihood = tuple[float, bool]
"""Log-likelihood of a continuation, and whether it is the likeliest one: as lm-eval has it."""


class SharedPrompts:
    """A backend's `_model_generate` that reads each prompt of a batch once."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.generate = backend, backend._model_generate
        self.openings: dict[Tokens, Tokens] = {}
        """Prompt → tokens between it and the letters that are to be scored."""
        self.letters: dict[Tokens, set[int]] = {}
        """Prompt with its opening → those letters."""
        self.scored: dict[Tokens, Likelihood] = {}
        """Prompt with opening and letter → how likely the letter is."""

    def forget(self) -> None:
        """Forget all prompts and scores."""
        self.openings.clear()
        self.letters.clear()
        self.scored.clear()

    def score_behind(self, prompt: str, context: str, letter: str) -> None:
        """Have a letter behind `context` scored when `prompt`, which that begins with, is read."""
        asked = tuple(self.backend.tok_encode(prompt))
        before, last = (tuple(part) for part in self.backend._encode_pair(context, letter))
        if len(last) == 1 and before[: len(asked)] == asked:
            self.openings[asked] = before[len(asked) :]
            self.letters.setdefault(before, set()).update(last)

    @torch.no_grad()
    def __call__(self, context: Tensor, max_length: int, stop: Any, **settings: Any) -> Any:
        """Return what the backend returns: the tokens of prompts and replies."""
        told = {name for name, value in settings.items() if value is not None}
        if "attention_mask" not in told or told - _SHARED_SETTINGS:
            return self.generate(context=context, max_length=max_length, stop=stop, **settings)
        mask = settings["attention_mask"]
        rows = [tuple(ids[m.bool()].tolist()) for ids, m in zip(context, mask, strict=True)]
        prompts = list(dict.fromkeys(rows))
        with exact_head(self.backend.model) if self.openings else nullcontext():
            start = prefill(self.backend.model, [list(prompt) for prompt in prompts])
            self._score(prompts, start)
        if len(prompts) < len(rows):
            number = {prompt: n for n, prompt in enumerate(prompts)}
            start = start.rows(torch.tensor([number[row] for row in rows], device=context.device))
        start.cache.crop(-1)  # generation begins with the last token of the prompt
        ids = torch.full_like(context, self.backend.tokenizer.pad_token_id or 0)
        ids[start.mask.bool()] = context[mask.bool()]
        settings |= {"attention_mask": start.mask, "past_key_values": start.cache}
        return self.generate(context=ids, max_length=max_length, stop=stop, **settings)

    def _score(self, prompts: Sequence[Tokens], start: PrefilledBatch) -> None:
        """Score the letters behind these prompts; their state stays as it is."""
        openings = [self.openings.get(prompt) for prompt in prompts]
        widths = {len(opening) for opening in openings if opening is not None}
        if len(widths) != 1:  # none is asked for, or they are no batch
            return
        (width,) = widths
        logits = _read_on(self.backend.model, start, openings, width) if width else start.logits
        dtype = getattr(self.backend, "softmax_dtype", None)
        likelihoods = torch.log_softmax(logits, dim=-1, dtype=dtype)
        likeliest = likelihoods.argmax(dim=-1).tolist()
        for n, (prompt, opening) in enumerate(zip(prompts, openings, strict=True)):
            before = prompt + (opening or ())
            for letter in self.letters.get(before, ()) if opening is not None else ():
                score = float(likelihoods[n, letter]), likeliest[n] == letter
                self.scored[(*before, letter)] = score


def _read_on(
    model: Any, start: PrefilledBatch, openings: Sequence[Tokens | None], width: int
) -> Tensor:
    """Return the logits behind `width` more tokens of each prompt; the state stays as it is."""
    ids = torch.tensor([opening or (0,) * width for opening in openings], device=start.mask.device)
    positions = start.mask.sum(-1, keepdim=True) + torch.arange(width, device=ids.device)
    out = model(
        input_ids=ids,
        attention_mask=torch.cat([start.mask, torch.ones_like(ids)], -1),
        position_ids=positions,
        past_key_values=start.cache,
        use_cache=True,
        logits_to_keep=1,
    )
    start.cache.crop(-width)
    logits: Tensor = out.logits[:, -1]
    return logits


class KnownLikelihoods:
    """A backend's `_loglikelihood_tokens` that asks only for what is not known yet."""

    def __init__(self, backend: Any, shared: SharedPrompts) -> None:
        self.backend, self.shared = backend, shared
        self.ask: Callable[..., list[Likelihood]] = backend._loglikelihood_tokens

    def __call__(self, requests: Sequence[Any], *args: Any, **settings: Any) -> list[Likelihood]:
        """Return the likelihood of every request, in their order."""
        known = [self.shared.scored.get((*before, *after)) for _, before, after in requests]
        unknown = [r for r, found in zip(requests, known, strict=True) if found is None]
        asked = iter(self.ask(unknown, *args, **settings) if unknown else ())
        for (text, *_), found in zip(requests, known, strict=True):
            if found is not None:
                self.backend.cache_hook.add_partial("loglikelihood", text, found)
        return [next(asked) if found is None else found for found in known]


def share_prompts(backend: Any, behind: Iterable[tuple[str, str, str]]) -> None:
    """Make an hf backend read each prompt once, however many tasks ask for it.

    `behind`: (prompt, context that begins with it, letter that is scored behind the context).
    """
    if not isinstance(backend._model_generate, SharedPrompts):
        if not _can_share(backend):
            return
        backend._model_generate = SharedPrompts(backend)
        backend._loglikelihood_tokens = KnownLikelihoods(backend, backend._model_generate)
    for prompt, context, letter in behind:
        backend._model_generate.score_behind(prompt, context, letter)


def _can_share(backend: Any) -> bool:
    """Return whether a backend is lm-eval's hf, alone, with a model whose state can be shared."""
    if type(backend).__name__ != "HFLM" or backend.backend != "causal" or backend.world_size > 1:
        return False
    model = backend.model
    own = model.generation_config
    return (
        getattr(backend, "mixed_precision_dtype", None) is None
        and getattr(own, "cache_implementation", None) is None
        and (getattr(own, "num_beams", None) or 1) == 1
        and takes(model, "logits_to_keep")
        and can_share(model)
        and _reads_alike(backend)
    )


@torch.no_grad()
def _reads_alike(backend: Any) -> bool:
    """Return whether prompts on trial are read as the model reads each of them by itself.

    Half the digits of its numbers must agree. Who knows what a model's own code, layers on several
    devices or a kernel do with a shared state: where anything fails, nothing is shared.
    """
    model = backend.model
    words = backend.tok_encode("Which of the two answers is the better one, and why is it?")
    opening = (words * _TRIAL_TOKENS)[:_TRIAL_TOKENS]
    prompts = [opening + words[:1], opening + words[::-1]]
    try:
        start = prefill(model, prompts).rows(torch.tensor([1, 0], device=model.device))
        ids = [torch.tensor([prompt], device=model.device) for prompt in reversed(prompts)]
        alone = torch.cat([model(one).logits[:, -1] for one in ids])
        start.cache.crop(-1)
    except Exception:  # whatever it is, lm-eval's own way remains
        logger.info("Prompts are not shared", exc_info=True)
        return False
    off = (start.logits - alone).float().abs().mean() / alone.float().std()
    return bool(off <= torch.finfo(alone.dtype).eps ** 0.5)
