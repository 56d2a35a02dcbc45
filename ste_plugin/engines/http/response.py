"""What is read from a server's replies, and the completions that they make."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ste_plugin.engines.base import Completion
from ste_plugin.engines.http.request import Call

_THINK_OPEN, _THINK_CLOSE = "<think>", "</think>"
_VERSION = re.compile(r"[-@:](\d{3,}[\d.-]*|v\d[\d.]*|latest)")


class UnreadableReply(Exception):
    """A reply that is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the server."""

    texts: tuple[str, ...]
    """By the index of the choice."""
    reasons: tuple[Literal["stop", "length"], ...]
    prompt_tokens: int
    completion_tokens: int
    """Of all texts together."""
    model: str = ""
    """The name that the server gives for the model, if it does."""


TOO_LONG = Reply(("",), ("length",), 0, 0)
"""Stands for the reply to a prompt that leaves no room for an answer."""
NO_SAMPLES = Reply((), (), 0, 0)
"""Stands for the reply of a server that refuses to give several samples in one call."""


def read_reply(content: bytes, n: int, least: int) -> Reply:
    """Return what a successful response holds: n choices, or at least `least`.

    Raises: UnreadableReply saying what is wrong with it.
    """
    try:
        found = json.loads(content)
    except ValueError as error:  # UnicodeDecodeError is one
        raise UnreadableReply(f"the reply is not JSON ({error})") from error
    try:
        choices = sorted(found["choices"], key=lambda choice: choice.get("index", 0))
        numbers = [choice["index"] for choice in choices if "index" in choice]
        texts = [choice["message"].get("content") or "" for choice in choices]
        reasons = [choice.get("finish_reason") for choice in choices]
        usage = found.get("usage") or {}
        read, written = (int(usage.get(f"{k}_tokens") or 0) for k in ("prompt", "completion"))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableReply(
            f"the reply is not a chat completion ({error!r}): {json.dumps(found)}"
        ) from error
    if not least <= len(texts) <= n:
        raise UnreadableReply(f"the reply holds {len(texts)} choices where n={n} was asked for")
    if numbers and numbers != list(range(len(texts))):
        raise UnreadableReply(f"the choices are numbered {numbers}, expected 0 to {len(texts) - 1}")
    if not all(isinstance(text, str) for text in texts):
        raise UnreadableReply("the reply's content is not text")
    return Reply(
        tuple(_sound(text) for text in texts),
        tuple("length" if r == "length" else "stop" for r in reasons),
        read,
        written,
        _sound(_name(found)),
    )


def _name(found: dict[str, Any]) -> str:
    name = found.get("model")
    return name if isinstance(name, str) else ""


def _sound(text: str) -> str:
    """Return the text with '?' for what UTF-8 cannot hold: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def same_model(asked: str, told: str) -> bool:
    """Return whether a reply's model can be the one asked for: the same name, or a version of it.

    Folders count for nothing. A size or a kind is no version: `-70b` and `-instruct` are other weights.

    >>> same_model("gpt-4o", "gpt-4o-2024-08-06"), same_model("llama-3", "llama-3-70b")
    (True, False)
    """
    known, said = (
        name.rstrip("/").rpartition("/")[2].casefold().removesuffix("-latest")
        for name in (asked, told)
    )
    rest = said.removeprefix(known)
    return said.startswith(known) and (not rest or bool(_VERSION.fullmatch(rest)))


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """Return the one choice that a reply names as a word of its own, or None; thinking does not count.

    >>> read_choice("**B**.", ["A", "B"]), read_choice("A or B", ["A", "B"])
    ('B', None)
    """
    said = text.rpartition(_THINK_CLOSE)[2].strip()
    if _THINK_OPEN in said:  # it never ended
        return None
    if said in choices:
        return said
    named = [c for c in choices if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", said)]
    return named[0] if len(named) == 1 else None


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
