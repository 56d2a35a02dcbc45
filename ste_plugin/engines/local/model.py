"""transformers in this process: prompts batched by length, one prefill for all samples of each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.choice_tokens import choice_token
from ste_plugin.engines.local.batches import (
    Prompt,
    next_batch,
    sort_for_batching,
    split_into_windows,
)
from ste_plugin.engines.local.choice_logits import ChoiceLogits
from ste_plugin.engines.local.decoding import decode, exact_head, prefill
from ste_plugin.engines.local.loading import LoadedModel
from ste_plugin.engines.local.memory import automatic_budget, out_of_memory
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.engines.token_sampler import draw_choice, uniforms

_BATCHES_PER_WINDOW = 4
"""Full batches that are taken at once: enough to sort by length, few enough to stop soon."""
_FULL_ROWS = {"cuda": 64, "cpu": 16}
"""Rows that use a device well: a batch of so many is not filled up with much shorter prompts."""


class LocalEngine:
    """A causal language model and its tokenizer."""

    def __init__(
        self,
        loaded: LoadedModel,
        options: LocalOptions,
        say: Callable[[str], None] = lambda _: None,
        template: ChatTemplate | None = None,
    ) -> None:
        self._say = say
        self._path, self._device = loaded.path, loaded.device
        self._template = template or ChatTemplate(loaded.tokenizer)
        self._model: Any = loaded.model
        stop_ids = {*loaded.stop_ids, *self._template.turn_end_ids}
        self._stop_ids = torch.tensor(sorted(stop_ids), device=loaded.device)
        self._context = getattr(loaded.config, "max_position_embeddings", None) or 1 << 30
        self._budget = automatic_budget(loaded.config, loaded.model.dtype, loaded.device)
        if options.max_batch_tokens != "auto":
            self._budget = replace(
                self._budget,
                limit=options.max_batch_tokens,
                per_token=1,
                per_row=0,
                per_token_pair=0,
            )
        self._known = ChoiceLogits()
        self._window = _BATCHES_PER_WINDOW * self._budget.max_rows

    def close(self) -> None:
        """Free the model's memory."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions batch by batch, of some hundred requests the longest prompts first.

        A prompt too long for its answer to fit yields an empty completion, `too_long`.
        Raises: EngineError where there is not enough memory for a single sample.
        """
        for window in split_into_windows(requests, self._window):
            prompts = [self._prompt(group) for group in window]
            for prompt in (p for p in prompts if p.width > self._context):
                yield from (Completion(r.key, "", "too_long", 0, 0) for r in prompt.requests)
            fitting = [p for p in prompts if p.width <= self._context]
            yield from (c for p in fitting if self._known.holds(p) for c in self._pick(p))
            waiting = sort_for_batching(p for p in fitting if not self._known.holds(p))
            while waiting:
                batch = next_batch(waiting, self._budget, _FULL_ROWS.get(self._device.type, 16))
                completions = self._complete_batch(batch)
                if completions is None:
                    waiting.extendleft(reversed(batch))
                    self._shrink_batches(batch)
                yield from completions or ()

    def choice_log_likelihoods(
        self, requests: Iterable[ChatRequest]
    ) -> Iterator[tuple[str, tuple[float, ...]]]:
        """Yield key and log-likelihoods of the choices of each request that fits the context."""
        asked = list(requests)
        answered = {c.key for c in self.complete(asked) if c.finish_reason == "stop"}
        for request in (r for r in asked if r.key in answered):
            logits = self._known.get(self._prompt([request]))
            yield request.key, tuple(logits.float().log_softmax(-1).tolist())

    def count_tokens(self, request: ChatRequest) -> tuple[int, int, int]:
        """Return the tokens of the prompt, the most of the answer, and those of the context."""
        prompt = self._prompt([request])
        return len(prompt.ids), prompt.width - len(prompt.ids), self._context

    def _complete_batch(self, batch: Sequence[Prompt]) -> list[Completion] | None:
        """Return the completions of a whole batch, or None where it does not fit into memory."""
        try:
            with torch.inference_mode():
                return self._choose(batch) if batch[0].choices else self._generate(batch)
        except RuntimeError as error:
            # A CPU's allocator has no class of its own for this.
            if not (isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)):
                raise
        return None

    def _shrink_batches(self, batch: list[Prompt]) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        rows, width = sum(p.rows for p in batch), batch[0].width
        if rows == 1:
            raise out_of_memory(self._path, width, self._device)
        self._budget = self._budget.half_of(batch)
        self._say(
            f"{self._path}: no memory for {rows} samples of {width} tokens at once on "
            f"{self._device}; continuing with {rows // 2}. Nothing is lost."
        )

    def _prompt(self, requests: list[ChatRequest]) -> Prompt:
        first = requests[0]
        text = self._template.text_of(first)
        ids, encode = self._template.encode(text), self._template.encode
        choices = [choice_token(encode, text, ids, choice, self._path) for choice in first.choices]
        return Prompt(requests, ids, choices)

    def _choose(self, batch: Sequence[Prompt]) -> list[Completion]:
        choices = sorted({token for prompt in batch for token in prompt.choices})
        with exact_head(self._model, choices):
            logits = prefill(self._model, [p.ids for p in batch]).logits.cpu()
        for prompt, row in zip(batch, logits, strict=True):
            self._known.keep(prompt, row[prompt.choices])
        return [completion for prompt in batch for completion in self._pick(prompt)]

    def _pick(self, prompt: Prompt) -> list[Completion]:
        """Return the samples of a prompt with choices, whose logits are known."""
        logits = self._known.get(prompt)
        return [
            # the prompt's tokens are counted once
            Completion(r.key, draw_choice(r, logits), "stop", 0 if n else len(prompt.ids), 1)
            for n, r in enumerate(prompt.requests)
        ]

    def _generate(self, batch: Sequence[Prompt]) -> list[Completion]:
        requests = [r for p in batch for r in p.requests]
        prompt_tokens = [0 if n else len(p.ids) for p in batch for n in range(p.rows)]
        owner = torch.tensor([i for i, p in enumerate(batch) for _ in p.requests])
        start = prefill(self._model, [p.ids for p in batch]).rows(owner.to(self._device))
        sampling = requests[0].sampling
        drawn = uniforms([r.seed for r in requests], sampling.max_new_tokens).to(self._device)
        generated = decode(self._model, start, sampling, drawn, self._stop_ids)
        stop_ids = set(self._stop_ids.tolist())
        replies = list(map(self._template.read, requests, generated))
        reasons: list[Literal["stop", "length"]] = [
            "stop" if tokens[-1] in stop_ids else "length" for tokens in generated
        ]
        fields = zip(requests, replies, reasons, prompt_tokens, generated, strict=True)
        return [
            Completion(request.key, reply.said, reason, count, len(ids), reply.thinking)
            for request, reply, reason, count, ids in fields
        ]
