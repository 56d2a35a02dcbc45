"""vLLM in this process: requests are handed to its scheduler as it has room for them."""

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from vllm import SamplingParams
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.exceptions import EngineDeadError

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.chat import choice_token, render_chat
from ste_plugin.engines.token_sampler import draw, uniforms
from ste_plugin.engines.vllm.errors import cure, vllm_words
from ste_plugin.engines.vllm.loading import load_llm, load_tokenizer
from ste_plugin.engines.vllm.options import VllmOptions, tokenizer_of, visible_gpus, vllm_arguments
from ste_plugin.engines.vllm.reaper import Reaper
from ste_plugin.errors import EngineError


@dataclass(frozen=True, slots=True)
class _Prompt:
    """What all samples of one prompt have in common."""

    key: str
    ids: list[int]
    choices: list[int]
    """Token ids of the request's choices, or empty."""


@dataclass(slots=True)
class _Asked:
    """One request to vLLM, and those of ours that its answer serves."""

    prompt: _Prompt
    cost: int
    """Tokens read for it: none where a sample before it has paid."""
    requests: list[ChatRequest] = field(default_factory=list)


class VllmEngine:
    """A model inside vLLM, whose own processes hold it."""

    def __init__(self, path: str, options: VllmOptions, log: Path) -> None:
        self._path, self._log = path, log
        self._start = log.stat().st_size if log.exists() else 0
        self._tokenizer = load_tokenizer(
            tokenizer_of(path), options.revision, trust=options.trust_remote_code
        )
        arguments = vllm_arguments(path, options)
        env = visible_gpus(options)
        self._leash = Reaper()
        try:
            self._llm: Any = load_llm(path, arguments, env, log, self._leash)
        except BaseException:  # an interrupt, too, must leave nothing running
            self._leash.close()
            raise
        config = self._llm.llm_engine.vllm_config
        self._context: int = config.model_config.max_model_len
        self._room: int = 2 * config.scheduler_config.max_num_seqs
        self._lora = LoRARequest("judge", 1, path) if "enable_lora" in arguments else None
        self._last: _Prompt | None = None

    def close(self) -> None:
        """End vLLM's processes, which gives their memory back."""
        if self._llm is None:
            return
        self._llm.llm_engine.engine_core.shutdown()
        self._llm = None
        self._leash.close()
        gc.collect()
        torch.cuda.empty_cache()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions as they end; about twice as many requests are taken as run at once.

        A prompt that leaves no room for its answer yields an empty completion, cut by length.
        """
        coming = iter(requests)
        waiting: dict[str, _Asked] = {}
        try:
            while True:
                free = self._room - sum(len(asked.requests) for asked in waiting.values())
                taken = list(islice(coming, free))
                for request in taken:
                    yield from self._submit(request, waiting)
                if waiting:
                    yield from self._step(waiting)
                elif not taken:
                    return
        finally:
            if waiting and self._llm is not None:
                self._llm.llm_engine.abort_request(list(waiting))

    def _submit(self, request: ChatRequest, waiting: dict[str, _Asked]) -> Iterator[Completion]:
        prompt, cost = self._prompt(request)
        one_answer = bool(request.choices) or request.sampling.temperature == 0
        name = request.prompt_key if one_answer else request.key
        room = 1 if request.choices else request.sampling.max_new_tokens
        if len(prompt.ids) + room > self._context:
            yield Completion(request.key, "", "length", 0, 0)
            return
        if name not in waiting:
            waiting[name] = _Asked(prompt, cost)
            self._llm.llm_engine.add_request(
                name, {"prompt_token_ids": prompt.ids}, _params(request, prompt),
                lora_request=self._lora,
            )  # fmt: skip
        waiting[name].requests.append(request)

    def _step(self, waiting: dict[str, _Asked]) -> Iterator[Completion]:
        try:
            outputs = self._llm.llm_engine.step()
        except EngineDeadError as error:
            words = vllm_words(self._log, self._start)
            raise EngineError(
                f"{self._path}: vLLM ended while it was writing.\n{words}\n{cure(words, self._path)}\n"
                f"Log: {self._log}"
            ) from error
        for output in outputs:
            asked = waiting.pop(output.request_id, None)
            if asked:
                yield from self._answers(asked, output.outputs[0])

    def _answers(self, asked: _Asked, said: Any) -> Iterator[Completion]:
        if asked.prompt.choices:
            yield from _drawn(asked, said.logprobs[0])
            return
        text = self._tokenizer.decode(said.token_ids, skip_special_tokens=True)
        reason: Literal["stop", "length"] = "length" if said.finish_reason == "length" else "stop"
        read, written = asked.cost, len(said.token_ids)
        for request in asked.requests:
            yield Completion(request.key, text, reason, read, written)
            read = written = 0

    def _prompt(self, request: ChatRequest) -> tuple[_Prompt, int]:
        """Return the request's prompt and what reading it costs; samples of one prompt come together."""
        if self._last and self._last.key == request.prompt_key:
            return self._last, 0
        text = render_chat(self._tokenizer, request.messages, prefix=request.prefix)
        ids = self._ids(text)
        choices = [
            choice_token(self._ids, text, ids, choice, self._path) for choice in request.choices
        ]
        self._last = _Prompt(request.prompt_key, ids, choices)
        return self._last, len(ids)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def _params(request: ChatRequest, prompt: _Prompt) -> SamplingParams:
    """Return what vLLM is asked: an answer, or how likely each choice is as the next token."""
    only = {"detokenize": False, "output_kind": RequestOutputKind.FINAL_ONLY}
    if prompt.choices:
        wanted = sorted(set(prompt.choices))
        return SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=wanted, **only)
    how = request.sampling
    return SamplingParams(
        temperature=how.temperature, top_p=how.top_p, max_tokens=how.max_new_tokens,
        seed=None if how.temperature == 0 else request.seed, **only,
    )  # fmt: skip


def _drawn(asked: _Asked, likely: Any) -> Iterator[Completion]:
    """Yield a choice a request, by the model's own probabilities: {token id: its log-probability}."""
    among = torch.tensor([[likely[token].logprob for token in asked.prompt.choices]])
    cost = asked.cost
    for request in asked.requests:
        chance = uniforms([request.seed], 1)[:, 0]
        picked = int(draw(among, chance, request.sampling.temperature, 1.0))
        yield Completion(request.key, request.choices[picked], "stop", cost, 1)
        cost = 0
