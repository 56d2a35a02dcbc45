"""What is written to an OpenAI-compatible server."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Any

from ste_plugin.engines.base import ChatRequest, Message
from ste_plugin.engines.http.options import Prefill

_MOST_SAMPLES = 128
"""The largest `n` that OpenAI's own server takes."""
_SEED_BITS = 0x7FFFFFFF
"""Some servers hold a seed in a signed 32-bit integer."""
_CHOICE_TOKENS = {"ask": 64, "vllm": 16, "vllm-guided-choice": 16}
"""Room for the words around a choice, and for choices of several tokens."""


@dataclass(frozen=True, slots=True)
class Call:
    """Requests for one prompt that a single call answers, by sample index."""

    requests: tuple[ChatRequest, ...]

    @property
    def first(self) -> ChatRequest:
        """The request that stands for what all have in common."""
        return self.requests[0]

    @property
    def greedy(self) -> bool:
        """Whether every sample is the same, so that one answers all."""
        return self.first.sampling.temperature == 0

    @property
    def n(self) -> int:
        """How many different samples the server is asked for."""
        return 1 if self.greedy else len(self.requests)

    def split(self, count: int) -> tuple["Call", list["Call"]]:
        """Return the call for the first `count` requests, and one for each of the others."""
        return Call(self.requests[:count]), [Call((request,)) for request in self.requests[count:]]


def plan_calls(
    requests: Iterable[ChatRequest], samples: Callable[[], bool], prefill: Prefill
) -> Iterator[Call]:
    """Yield the calls that answer all requests, in the order of their first ones.

    `samples` tells whether the server gives several in one call; that may turn out on the way.
    A choice that is asked for may need asking again, so that each gets a call of its own.
    No more requests are taken than the next call holds: whoever gives them may stop at a budget.
    """
    for _, alike in groupby(requests, key=lambda r: r.prompt_key):
        each = _once(alike)
        first = next(each)
        together = samples() and not (first.choices and prefill == "ask")
        greedy = Call((first,)).greedy
        size = None if greedy else _MOST_SAMPLES if together else 1
        each = chain([first], each)
        while batch := sorted(islice(each, size), key=lambda r: r.sample_index):
            yield from [Call(tuple(batch))] if greedy else _in_a_row(batch)


def _in_a_row(batch: list[ChatRequest]) -> Iterator[Call]:
    """Yield calls for samples that follow each other: a server draws the next with the next seed."""
    for _, run in groupby(enumerate(batch), key=lambda placed: placed[1].sample_index - placed[0]):
        yield Call(tuple(request for _, request in run))


def _once(requests: Iterable[ChatRequest]) -> Iterator[ChatRequest]:
    seen: set[str] = set()
    for request in requests:
        if request.key not in seen:
            seen.add(request.key)
            yield request


def body(call: Call, model: str, prefill: Prefill, attempt: int = 0) -> dict[str, Any]:
    """Return the JSON of a call; a later attempt draws with another seed.

    Source: vLLM's OpenAI-compatible server: `structured_outputs` from 0.11, `guided_choice` until
    0.12; it draws sample i of n with seed + i.
    """
    request, sampling = call.first, call.first.sampling
    asked = bool(request.choices) and prefill == "ask"
    messages = asking_turns(request) if asked else request.messages
    wanted: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
    }
    if not call.greedy:
        wanted["seed"] = (request.seed + attempt) & _SEED_BITS if asked else _seed(request)
    if call.n > 1:
        wanted["n"] = call.n
    if request.prefix and not asked:
        wanted["messages"].append({"role": "assistant", "content": request.prefix})
        wanted |= {"continue_final_message": True, "add_generation_prompt": False}
    if request.choices:
        wanted["max_tokens"] = max(sampling.max_new_tokens, _CHOICE_TOKENS[prefill])
    if request.choices and not asked:
        # The model's own probabilities decide: a nucleus would never draw the less likely choice.
        wanted["top_p"] = 1.0
        choices = list(request.choices)
        guided = prefill == "vllm-guided-choice"
        wanted |= (
            {"guided_choice": choices} if guided else {"structured_outputs": {"choice": choices}}
        )
    return wanted


def _seed(request: ChatRequest) -> int:
    """Return the seed with which a server draws the same sample alone and as one of several."""
    return (request.with_sample_index(0).seed & _SEED_BITS >> 1) + request.sample_index


def asking_turns(request: ChatRequest) -> tuple[Message, ...]:
    """Return the turns that ask for one of the choices in place of the words after the prefix.

    What the prefix says before its unfinished last line stays as the assistant's own turn.
    """
    said, _, closing = request.prefix.rpartition("\n")
    among = ", ".join(request.choices)
    ask = f"Reply with exactly one of these and nothing else: {among}."
    if closing:
        ask += f" It is what you would write after `{closing}`."
    turns = list(request.messages)
    if said.strip():
        turns.append(Message("assistant", said.strip()))
    if turns[-1].role == "user":  # chat templates want the roles to alternate
        return (*turns[:-1], Message("user", f"{turns[-1].content}\n\n{ask}"))
    return (*turns, Message("user", ask))
