"""What is written to an OpenAI-compatible server, and what is read from its replies."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from ste_plugin.engines.base import ChatRequest, Completion, Message
from ste_plugin.engines.http_options import Prefill

_MOST_SAMPLES = 128
"""The largest `n` that OpenAI's own server takes."""
_CHOICE_TOKENS = {"ask": 64, "vllm": 16, "vllm-guided-choice": 16}
"""Room for the words around a choice, and for choices of several tokens."""
_THINK_CLOSE = "</think>"


class UnreadableReply(Exception):
    """A reply that is not what the protocol says."""


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


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the server."""

    texts: tuple[str, ...]
    """By the index of the choice."""
    reasons: tuple[Literal["stop", "length"], ...]
    prompt_tokens: int
    completion_tokens: int
    """Of all texts together."""


TOO_LONG = Reply(("",), ("length",), 0, 0)
"""Stands for the reply to a prompt that leaves no room for an answer."""


def plan_calls(requests: Iterable[ChatRequest], samples: bool, prefill: Prefill) -> Iterator[Call]:
    """Yield the calls that answer all requests, in the order of their first ones.

    A choice that is asked for may need asking again, so that each gets a call of its own.
    """
    for _, together_asked in groupby(requests, key=lambda r: r.prompt_key):
        group = {request.key: request for request in together_asked}
        alike = Call(tuple(sorted(group.values(), key=lambda r: r.sample_index)))
        together = samples and not (alike.first.choices and prefill == "ask")
        size = len(group) if alike.greedy else _MOST_SAMPLES if together else 1
        for start in range(0, len(group), size):
            yield Call(alike.requests[start : start + size])


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
        # 31 bits: some servers hold a seed in a signed 32-bit integer.
        wanted["seed"] = (request.seed + attempt) & 0x7FFFFFFF
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


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """Return the one choice that a reply names as a word of its own, or None.

    >>> read_choice("**B**.", ["A", "B"]), read_choice("A or B", ["A", "B"])
    ('B', None)
    """
    said = text.rpartition(_THINK_CLOSE)[2].strip()
    if said in choices:
        return said
    named = [c for c in choices if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", said)]
    return named[0] if len(named) == 1 else None


def read_reply(content: bytes, n: int) -> Reply:
    """Return what a successful response holds.

    Raises: UnreadableReply saying what is wrong with it.
    """
    try:
        found = json.loads(content)
    except ValueError as error:  # UnicodeDecodeError is one
        raise UnreadableReply(f"the reply is not JSON ({error})") from error
    try:
        choices = sorted(found["choices"], key=lambda choice: choice.get("index", 0))
        texts = [choice["message"].get("content") or "" for choice in choices]
        reasons = [choice.get("finish_reason") for choice in choices]
        usage = found.get("usage") or {}
        counts = [int(usage.get(k) or 0) for k in ("prompt_tokens", "completion_tokens")]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableReply(f"the reply is not a chat completion ({error!r})") from error
    if len(texts) != n:
        raise UnreadableReply(f"the reply holds {len(texts)} choices where n={n} was asked for")
    if not all(isinstance(text, str) for text in texts):
        raise UnreadableReply("the reply's content is not text")
    return Reply(
        tuple(_sound(text) for text in texts),
        tuple("length" if r == "length" else "stop" for r in reasons),
        *counts,
    )


def _sound(text: str) -> str:
    """Return the text with '?' for what UTF-8 cannot hold: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def completions(call: Call, reply: Reply) -> list[Completion]:
    """Return a completion for each request; the tokens add up to what the server counted.

    The first pays for the prompt and for what does not divide. Where one text answers all, the
    others cost nothing.
    """
    share, rest = divmod(reply.completion_tokens, len(reply.texts))
    answers = []
    for i, request in enumerate(call.requests):
        own = i if len(reply.texts) > 1 else 0
        cost = (share if i < len(reply.texts) else 0) + (rest if i == 0 else 0)
        prompt = 0 if i else reply.prompt_tokens
        answers.append(Completion(request.key, reply.texts[own], reply.reasons[own], prompt, cost))
    return answers
