"""transformers in this process: prompts batched by length, each read once for all its samples."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Literal

import torch
from torch import Tensor

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.chat import added_token, render_chat
from ste_plugin.engines.local import LocalOptions
from ste_plugin.engines.sampler import draw
from ste_plugin.errors import EngineError

_WINDOW = 512
"""Requests taken at once: enough to sort by length, few enough to stop soon."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """All wanted samples of one prompt, and its tokens."""

    requests: list[ChatRequest]
    ids: list[int]
    choices: list[int]
    """Token ids of the request's choices, or empty."""

    @property
    def row_tokens(self) -> int:
        return len(self.ids) + (0 if self.choices else self.requests[0].sampling.max_new_tokens)


class LocalEngine:
    """A causal language model and its tokenizer."""

    def __init__(self, path: str, options: LocalOptions) -> None:
        self._options = options
        self._path = path
        self._device = torch.device(_device(options.device))
        self._tokenizer, self._model = _load(path, options, self._device)
        self._stop = _stop_ids(self._tokenizer, self._model)
        self._context = getattr(self._model.config, "max_position_embeddings", None) or 1 << 30

    def close(self) -> None:
        """Give the model's memory back."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions batch by batch, of some hundred requests the longest prompts first.

        A prompt that leaves no room for its answer yields an empty completion, cut by length.
        """
        coming = iter(requests)
        while window := list(islice(coming, _WINDOW)):
            yield from self._complete(window)

    def _complete(self, requests: Sequence[ChatRequest]) -> Iterator[Completion]:
        by_prompt: dict[str, list[ChatRequest]] = {}
        for request in requests:
            by_prompt.setdefault(request.prompt_key, []).append(request)
        prompts = [self._prompt(group) for group in by_prompt.values()]
        for prompt in (p for p in prompts if p.row_tokens > self._context):
            yield from (Completion(r.key, "", "length", 0, 0) for r in prompt.requests)
        fitting = [p for p in prompts if p.row_tokens <= self._context]
        for batch in _batches(fitting, self._options.max_batch_tokens):
            with torch.inference_mode():
                yield from self._choose(batch) if batch[0].choices else self._generate(batch)

    def _prompt(self, requests: list[ChatRequest]) -> _Prompt:
        first = requests[0]
        text = render_chat(self._tokenizer, first.messages, prefix=first.prefix)
        ids = self._ids(text)
        choices = [self._choice(text, ids, choice) for choice in first.choices]
        return _Prompt(requests, ids, choices)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _choice(self, text: str, ids: list[int], choice: str) -> int:
        token = added_token(ids, self._ids(text + choice))
        if token is None:
            raise EngineError(
                f"{self._path}: its tokenizer does not write {choice!r} after {text[-12:]!r} as one "
                "token of its own, so a verdict cannot be forced there. Set force_verdict: false, or "
                "use a judge format with other closing words."
            )
        return token

    def _read(self, batch: Sequence[_Prompt]) -> tuple[Tensor, Any, Tensor]:
        """Return last logits (prompts, vocabulary), the cache, and the attention mask, left-padded."""
        width = max(len(p.ids) for p in batch)
        ids = torch.tensor([[0] * (width - len(p.ids)) + p.ids for p in batch])
        mask = torch.tensor([[0] * (width - len(p.ids)) + [1] * len(p.ids) for p in batch])
        ids, mask = ids.to(self._device), mask.to(self._device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        out = self._model(
            input_ids=ids, attention_mask=mask, position_ids=positions,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        return out.logits[:, -1], out.past_key_values, mask

    def _choose(self, batch: Sequence[_Prompt]) -> Iterator[Completion]:
        logits, _, _ = self._read(batch)
        for prompt, row in zip(batch, logits, strict=True):
            among = row[torch.tensor(prompt.choices, device=row.device)]
            sampling = prompt.requests[0].sampling
            for number, request in enumerate(prompt.requests):
                uniform = torch.tensor([_Uniforms(request).next()])
                picked = int(draw(among[None].cpu(), uniform, sampling.temperature, 1.0))
                cost = 0 if number else len(prompt.ids)
                yield Completion(request.key, request.choices[picked], "stop", cost, 1)

    def _generate(self, batch: Sequence[_Prompt]) -> Iterator[Completion]:
        logits, cache, mask = self._read(batch)
        owner = [index for index, p in enumerate(batch) for _ in p.requests]
        requests = [r for p in batch for r in p.requests]
        first = torch.tensor(owner, device=self._device)
        cache.batch_select_indices(first)
        written = self._decode(requests, logits[first], cache, mask[first])
        seen: set[int] = set()
        for request, index, tokens in zip(requests, owner, written, strict=True):
            ended = bool(tokens) and tokens[-1] in self._stop
            text = self._tokenizer.decode(tokens, skip_special_tokens=True)
            cost = 0 if index in seen else len(batch[index].ids)
            seen.add(index)
            reason: Literal["stop", "length"] = "stop" if ended else "length"
            yield Completion(request.key, text, reason, cost, len(tokens))

    def _decode(
        self, requests: list[ChatRequest], logits: Tensor, cache: Any, mask: Tensor
    ) -> list[list[int]]:
        """Return the tokens of every row, its stop token included; ended rows leave the batch."""
        sampling = requests[0].sampling
        written: list[list[int]] = [[] for _ in requests]
        uniforms = [_Uniforms(r) for r in requests]
        active = list(range(len(requests)))
        positions = mask.sum(-1, keepdim=True)
        for step in range(sampling.max_new_tokens):
            chances = torch.tensor([uniforms[row].next() for row in active], device=logits.device)
            tokens = draw(logits, chances, sampling.temperature, sampling.top_p)
            for row, token in zip(active, tokens.tolist(), strict=True):
                written[row].append(token)
            going = [i for i, row in enumerate(active) if written[row][-1] not in self._stop]
            if not going or step + 1 == sampling.max_new_tokens:
                break
            if len(going) < len(active):
                keep = torch.tensor(going, device=self._device)
                cache.batch_select_indices(keep)
                tokens, mask, positions = tokens[keep], mask[keep], positions[keep]
                active = [active[i] for i in going]
            mask = torch.cat([mask, mask.new_ones(len(active), 1)], -1)
            out = self._model(
                input_ids=tokens[:, None], attention_mask=mask, position_ids=positions,
                past_key_values=cache, use_cache=True,
            )  # fmt: skip
            positions, logits = positions + 1, out.logits[:, -1]
        return written


class _Uniforms:
    """A request's own stream of uniform numbers: no batch and no order of requests changes it."""

    def __init__(self, request: ChatRequest) -> None:
        self._generator = torch.Generator().manual_seed(request.seed)

    def next(self) -> float:
        return float(torch.rand((), generator=self._generator))


def _batches(prompts: Sequence[_Prompt], max_tokens: int) -> Iterator[list[_Prompt]]:
    """Yield prompts of like kind and length, longest first, within a budget of tokens held."""

    def kind(prompt: _Prompt) -> tuple[bool, float, float, int]:
        sampling = prompt.requests[0].sampling
        return (bool(prompt.choices), sampling.temperature, sampling.top_p, sampling.max_new_tokens)

    def rows(prompt: _Prompt) -> int:
        return 1 if prompt.choices else len(prompt.requests)

    ordered = sorted(prompts, key=lambda p: (kind(p), -len(p.ids)))
    for _, alike in groupby(ordered, key=kind):
        batch: list[_Prompt] = []
        for prompt in alike:
            held = sum(rows(p) for p in [*batch, prompt]) * (batch or [prompt])[0].row_tokens
            if batch and held > max_tokens:
                yield batch
                batch = []
            batch.append(prompt)
        yield batch


def _device(wanted: str) -> str:
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def _load(path: str, options: LocalOptions, device: torch.device) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = "float32" if options.dtype == "auto" and device.type == "cpu" else options.dtype
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, revision=options.revision)
        model = AutoModelForCausalLM.from_pretrained(path, revision=options.revision, dtype=dtype)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{path}: cannot be loaded as a model: {str(error).splitlines()[0]}\n"
            "Expected a folder with config.json, tokenizer and safetensors, or a hub id that can be "
            "reached from here."
        ) from error
    return tokenizer, model.to(device).eval()


def _stop_ids(tokenizer: Any, model: Any) -> frozenset[int]:
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)
