"""What is sent to an OpenAI-compatible server: calls that share a prompt, and their JSON."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Any

from ste_plugin.engines.base import ChatRequest, Message
from ste_plugin.engines.http.fields import NEUTRAL, PENALTIES
from ste_plugin.engines.http.options import Prefill

_MAX_SAMPLES = 128
"""The largest `n` that OpenAI's own server takes."""
_SEED_MASK = 0x7FFFFFFF
"""Some servers hold a seed in a signed 32-bit integer."""
_CHOICE_TOKENS = {"ask": 64, "vllm": 16, "vllm-guided-choice": 16}
"""Enough for the words around a choice, and for choices of several tokens."""


@dataclass(frozen=True, slots=True)
class Call:
    """Requests for one prompt that a single call answers, by sample index."""

    requests: tuple[ChatRequest, ...]

    @property
    def first(self) -> ChatRequest:
        """A request, for what all have in common."""
        return self.requests[0]

    @property
    def greedy(self) -> bool:
        """Whether all samples are the same, so that one answers all."""
        return self.first.sampling.temperature == 0

    @property
    def n(self) -> int:
        """How many different samples the server is asked for."""
        return 1 if self.greedy else len(self.requests)

    @property
    def each(self) -> list["Call"]:
        """A call for each request."""
        return [Call((request,)) for request in self.requests]


def plan_calls(
    requests: Iterable[ChatRequest], gives_samples: Callable[[], bool], prefill: Prefill
) -> Iterator[Call]:
    """Yield the calls that answer all requests, in the order of their first ones.

    `gives_samples`: whether the server gives several in one call, as far as is known by then.
    A choice that is asked for may need a retry, so that each gets a call of its own.
    No more requests are taken than the next call holds: the caller may stop at a budget.
    """
    for _, group in groupby(requests, key=lambda r: r.prompt_key):
        samples = _unique(group)
        first = next(samples)
        greedy = Call((first,)).greedy
        one_each = not gives_samples() or (first.choices and prefill == "ask")
        size = None if greedy else 1 if one_each else _MAX_SAMPLES
        samples = chain([first], samples)
        while batch := sorted(islice(samples, size), key=lambda r: r.sample_index):
            yield from [Call(tuple(batch))] if greedy else _consecutive(batch)


def _consecutive(batch: list[ChatRequest]) -> Iterator[Call]:
    """Yield calls for consecutive samples: a server draws the next one with the next seed."""
    for _, run in groupby(enumerate(batch), key=lambda item: item[1].sample_index - item[0]):
        yield Call(tuple(request for _, request in run))


def _unique(requests: Iterable[ChatRequest]) -> Iterator[ChatRequest]:
    seen: set[str] = set()
    for request in requests:
        if request.key not in seen:
            seen.add(request.key)
            yield request


def build_body(call: Call, model: str, prefill: Prefill, attempt: int = 0) -> dict[str, Any]:
    """Return the JSON of a call; a later attempt draws with another seed."""
    request, sampling = call.first, call.first.sampling
    asks_for_choice = bool(request.choices) and prefill == "ask"
    messages = choice_question(request) if asks_for_choice else request.messages
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
        **NEUTRAL,
        **PENALTIES,
    }
    if request.choices:
        body["max_tokens"] = max(sampling.max_new_tokens, _CHOICE_TOKENS[prefill])
    if not call.greedy:
        retried = (request.seed + attempt) & _SEED_MASK
        body["seed"] = retried if asks_for_choice else _consecutive_seed(request)
    if call.n > 1:
        body["n"] = call.n
    if not asks_for_choice:
        _add_prefix(body, request.prefix)
        _add_choices(body, request.choices, prefill)
    return body


def _add_prefix(body: dict[str, Any], prefix: str) -> None:
    if prefix:
        body["messages"].append({"role": "assistant", "content": prefix})
        body.update(continue_final_message=True, add_generation_prompt=False)


def _add_choices(body: dict[str, Any], choices: Sequence[str], prefill: Prefill) -> None:
    """Restrict the reply to the choices.

    Source: vLLM's OpenAI-compatible server: `structured_outputs` from 0.11, `guided_choice` until
    0.12; it draws sample i of n with seed + i.
    """
    if not choices:
        return
    # The model's own probabilities decide: a nucleus would never draw the less likely choice.
    body["top_p"] = 1.0
    if prefill == "vllm-guided-choice":
        body["guided_choice"] = list(choices)
    else:
        body["structured_outputs"] = {"choice": list(choices)}


def _consecutive_seed(request: ChatRequest) -> int:
    """Return the seed with which a server draws the same sample alone and as one of several."""
    return (request.with_sample_index(0).seed & _SEED_MASK >> 1) + request.sample_index


def choice_question(request: ChatRequest) -> tuple[Message, ...]:
    """Return the turns that ask for one of the choices, in place of a continuation of the prefix.

    What the prefix says before its unfinished last line stays as the assistant's own turn.
    """
    answer, _, closing = request.prefix.rpartition("\n")
    choices = ", ".join(choice.strip() for choice in request.choices)
    question = f"Reply with exactly one of these and nothing else: {choices}."
    if closing:
        question += f" It is what you would write after `{closing}`."
    turns = list(request.messages)
    if answer.strip():
        turns.append(Message("assistant", answer.strip()))
    if turns[-1].role == "user":  # chat templates want the roles to alternate
        return (*turns[:-1], Message("user", f"{turns[-1].content}\n\n{question}"))
    return (*turns, Message("user", question))
