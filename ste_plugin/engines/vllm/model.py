"""vLLM in this process: its scheduler is given requests as it can take them."""

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

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.choice_tokens import choice_token
from ste_plugin.engines.model_folder import tokenizer_of
from ste_plugin.engines.token_sampler import draw_choice
from ste_plugin.engines.vllm.errors import suggest_fix, summarize_vllm_failure
from ste_plugin.engines.vllm.loading import load_llm, load_tokenizer
from ste_plugin.engines.vllm.options import VllmOptions, visible_gpus, vllm_arguments
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
class _VllmRequest:
    """One request to vLLM, and those of ours that its answer answers."""

    prompt: _Prompt
    prompt_tokens: int
    """Tokens read for it: 0 where they are counted in a sample before it."""
    requests: list[ChatRequest] = field(default_factory=list)


class VllmEngine:
    """A model inside vLLM, whose own processes hold it."""

    def __init__(self, path: str, model: ModelConfig, options: VllmOptions, log: Path) -> None:
        self._path, self._log = path, log
        self._start = log.stat().st_size if log.exists() else 0
        tokenizer = load_tokenizer(
            tokenizer_of(path), options.revision, trust=options.trust_remote_code
        )
        self._template = ChatTemplate.of_model(tokenizer, model)
        arguments = vllm_arguments(path, options)
        env = visible_gpus(options)
        self._reaper = Reaper()
        try:
            self._llm: Any = load_llm(path, arguments, env, log, self._reaper)
        except BaseException:  # an interrupt, too, must leave nothing running
            self._reaper.close()
            raise
        config = self._llm.llm_engine.vllm_config
        self._context: int = config.model_config.max_model_len
        self._max_waiting: int = 2 * config.scheduler_config.max_num_seqs
        self._lora = LoRARequest("judge", 1, path) if "enable_lora" in arguments else None
        self._last: _Prompt | None = None

    def close(self) -> None:
        """End vLLM's processes, which frees their memory."""
        if self._llm is None:
            return
        self._llm.llm_engine.engine_core.shutdown()
        self._llm = None
        self._reaper.close()
        gc.collect()
        torch.cuda.empty_cache()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions as they finish; about twice as many requests are taken as run at once.

        A prompt too long for its answer to fit yields an empty completion, `too_long`.
        """
        remaining = iter(requests)
        waiting: dict[str, _VllmRequest] = {}
        try:
            while True:
                free = self._max_waiting - sum(len(w.requests) for w in waiting.values())
                taken = list(islice(remaining, free))
                for request in taken:
                    yield from self._submit(request, waiting)
                if waiting:
                    yield from self._step(waiting)
                elif not taken:
                    return
        finally:
            if waiting and self._llm is not None:
                self._llm.llm_engine.abort_request(list(waiting))

    def _submit(
        self, request: ChatRequest, waiting: dict[str, _VllmRequest]
    ) -> Iterator[Completion]:
        prompt, prompt_tokens = self._prompt(request)
        samples_share_answer = bool(request.choices) or request.sampling.temperature == 0
        name = request.prompt_key if samples_share_answer else request.key
        max_tokens = 1 if request.choices else request.sampling.max_new_tokens
        if len(prompt.ids) + max_tokens > self._context:
            yield Completion(request.key, "", "too_long", 0, 0)
            return
        if name not in waiting:
            waiting[name] = _VllmRequest(prompt, prompt_tokens)
            prompt_input = {"prompt_token_ids": prompt.ids}
            params = _sampling_params(request, prompt, self._template.turn_end_ids)
            self._llm.llm_engine.add_request(name, prompt_input, params, lora_request=self._lora)
        waiting[name].requests.append(request)

    def _step(self, waiting: dict[str, _VllmRequest]) -> Iterator[Completion]:
        try:
            outputs = self._llm.llm_engine.step()
        except EngineDeadError as error:
            reason = summarize_vllm_failure(self._log, self._start)
            raise EngineError(
                f"{self._path}: vLLM ended while it was generating.\n{reason}\n"
                f"{suggest_fix(reason, self._path)}\nLog: {self._log}"
            ) from error
        for output in outputs:
            finished = waiting.pop(output.request_id, None)
            if finished:
                yield from self._completions(finished, output.outputs[0])

    def _completions(self, finished: _VllmRequest, answer: Any) -> Iterator[Completion]:
        if finished.prompt.choices:
            yield from _draw_choices(finished, answer.logprobs[0])
            return
        reply = self._template.read(finished.requests[0], answer.token_ids)
        reason: Literal["stop", "length"] = "length" if answer.finish_reason == "length" else "stop"
        prompt_tokens, completion_tokens = finished.prompt_tokens, len(answer.token_ids)
        for request in finished.requests:
            yield Completion(
                request.key, reply.said, reason, prompt_tokens, completion_tokens, reply.thinking
            )
            prompt_tokens = completion_tokens = 0

    def _prompt(self, request: ChatRequest) -> tuple[_Prompt, int]:
        """Return the request's prompt and the tokens to read for it: 0 for its further samples."""
        if self._last and self._last.key == request.prompt_key:
            return self._last, 0
        text, encode = self._template.text_of(request), self._template.encode
        ids = encode(text)
        choices = [choice_token(encode, text, ids, c, self._path) for c in request.choices]
        self._last = _Prompt(request.prompt_key, ids, choices)
        return self._last, len(ids)


def _sampling_params(request: ChatRequest, prompt: _Prompt, stop_ids: list[int]) -> SamplingParams:
    """Return what is asked of vLLM: an answer, or how likely each choice is as the next token."""
    output = {"detokenize": False, "output_kind": RequestOutputKind.FINAL_ONLY}
    if prompt.choices:
        choices = sorted(set(prompt.choices))
        return SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=choices, **output)
    sampling = request.sampling
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        seed=None if sampling.temperature == 0 else request.seed,
        stop_token_ids=stop_ids,
        **output,
    )


def _draw_choices(finished: _VllmRequest, logprobs: Any) -> Iterator[Completion]:
    """Yield one choice per request, drawn by the model's own probabilities.

    logprobs: token id → its log-probability as the next token.
    """
    logits = torch.tensor([logprobs[token].logprob for token in finished.prompt.choices])
    prompt_tokens = finished.prompt_tokens
    for request in finished.requests:
        yield Completion(request.key, draw_choice(request, logits), "stop", prompt_tokens, 1)
        prompt_tokens = 0
