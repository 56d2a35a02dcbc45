"""transformers in this process: prompts batched by length, each read once for all its samples."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.chat import choice_token, render_chat
from ste_plugin.engines.local.batches import Prompt, next_batch, ordered, windows
from ste_plugin.engines.local.decoding import decode, read
from ste_plugin.engines.local.loading import Loaded
from ste_plugin.engines.local.memory import automatic_budget, out_of_memory
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.engines.token_sampler import draw, uniforms

_AHEAD = 4
"""Full batches that are taken at once: enough to sort by length, few enough to stop soon."""
_WORTH_ROWS = {"cuda": 64, "cpu": 16}
"""Rows that use a device well: from there a batch is not filled up with much shorter prompts."""


class LocalEngine:
    """A causal language model and its tokenizer."""

    def __init__(
        self, loaded: Loaded, options: LocalOptions, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._say = say
        self._path, self._device = loaded.path, loaded.device
        self._tokenizer: Any = loaded.tokenizer
        self._model: Any = loaded.model
        self._stop = torch.tensor(loaded.stop_ids, device=loaded.device)
        self._context = getattr(loaded.config, "max_position_embeddings", None) or 1 << 30
        self._room = automatic_budget(loaded.config, loaded.model.dtype, loaded.device)
        if options.max_batch_tokens != "auto":
            self._room = replace(
                self._room, limit=options.max_batch_tokens, a_token=1, a_row=0, a_pair=0
            )
        self._window = _AHEAD * self._room.most_rows

    def close(self) -> None:
        """Give the model's memory back."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions batch by batch, of some hundred requests the longest prompts first.

        A prompt that leaves no room for its answer yields an empty completion, cut by length.
        Raises: EngineError where the memory does not suffice for a single sample.
        """
        for window in windows(requests, self._window):
            prompts = [self._prompt(group) for group in window]
            for prompt in (p for p in prompts if p.width > self._context):
                yield from (Completion(r.key, "", "length", 0, 0) for r in prompt.requests)
            waiting = ordered(p for p in prompts if p.width <= self._context)
            while waiting:
                batch = next_batch(waiting, self._room, _WORTH_ROWS.get(self._device.type, 16))
                done = self._answered(batch)
                if done is None:
                    waiting.extendleft(reversed(batch))
                    self._make_smaller(batch)
                yield from done or ()

    def _answered(self, batch: Sequence[Prompt]) -> list[Completion] | None:
        """Return the completions of a whole batch, or None where it does not fit into memory."""
        try:
            with torch.inference_mode():
                return self._choose(batch) if batch[0].choices else self._generate(batch)
        except RuntimeError as error:
            # A CPU's allocator has no class of its own for this.
            if not (isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)):
                raise
        return None

    def _make_smaller(self, batch: list[Prompt]) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        rows, width = sum(p.rows for p in batch), batch[0].width
        if rows == 1:
            raise out_of_memory(self._path, width, self._device)
        self._room = self._room.half_of(batch)
        self._say(
            f"{self._path}: no memory for {rows} samples of {width} tokens at once on {self._device}; "
            f"going on with {rows // 2}. Nothing is lost."
        )

    def _prompt(self, requests: list[ChatRequest]) -> Prompt:
        first = requests[0]
        text = render_chat(self._tokenizer, first.messages, prefix=first.prefix)
        ids = self._ids(text)
        choices = [
            choice_token(self._ids, text, ids, choice, self._path) for choice in first.choices
        ]
        return Prompt(requests, ids, choices)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _choose(self, batch: Sequence[Prompt]) -> list[Completion]:
        logits = read(self._model, [p.ids for p in batch]).logits.cpu()
        found = []
        for prompt, row in zip(batch, logits, strict=True):
            among = row[prompt.choices].expand(len(prompt.requests), -1)
            chances = uniforms([r.seed for r in prompt.requests], 1)[:, 0]
            picked = draw(among, chances, prompt.requests[0].sampling.temperature, 1.0).tolist()
            costs = [len(prompt.ids)] + [0] * len(picked)
            for request, pick, cost in zip(prompt.requests, picked, costs, strict=False):
                found.append(Completion(request.key, request.choices[pick], "stop", cost, 1))
        return found

    def _generate(self, batch: Sequence[Prompt]) -> list[Completion]:
        requests = [r for p in batch for r in p.requests]
        costs = [0 if n else len(p.ids) for p in batch for n in range(p.rows)]
        owner = torch.tensor([i for i, p in enumerate(batch) for _ in p.requests])
        start = read(self._model, [p.ids for p in batch]).rows(owner.to(self._device))
        how = requests[0].sampling
        chances = uniforms([r.seed for r in requests], how.max_new_tokens).to(self._device)
        written = decode(self._model, start, how, chances, self._stop)
        stops = set(self._stop.tolist())
        texts = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        reasons: list[Literal["stop", "length"]] = [
            "stop" if tokens[-1] in stops else "length" for tokens in written
        ]
        return [
            Completion(request.key, text, reason, cost, len(tokens))
            for request, text, reason, cost, tokens in zip(
                requests, texts, reasons, costs, written, strict=True
            )
        ]
