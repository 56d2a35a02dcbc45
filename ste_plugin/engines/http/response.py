"""Reading a server's replies, and turning them into completions."""

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
    """A reply that does not follow the protocol."""


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


PROMPT_TOO_LONG = Reply(("",), ("length",), 0, 0)
"""Stands for the reply to a prompt that fills the whole context."""
SAMPLES_REFUSED = Reply((), (), 0, 0)
"""Stands for the reply of a server that refuses to give several samples in one call."""


def read_reply(content: bytes, n: int, min_choices: int) -> Reply:
    """Return what a successful response holds: n choices, or at least `min_choices`.

    Raises: UnreadableReply saying what is wrong with it.
    """
    try:
        parsed = json.loads(content)
    except ValueError as error:  # UnicodeDecodeError is one
        raise UnreadableReply(f"the reply is not JSON ({error})") from error
    try:
        choices = sorted(parsed["choices"], key=lambda choice: choice.get("index", 0))
        numbers = [choice["index"] for choice in choices if "index" in choice]
        texts = [choice["message"].get("content") or "" for choice in choices]
        reasons = [choice.get("finish_reason") for choice in choices]
        usage = parsed.get("usage") or {}
        prompt_tokens = int(usage.get("prompt_tokens") or 0)
        completion_tokens = int(usage.get("completion_tokens") or 0)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableReply(
            f"the reply is not a chat completion ({error!r}): {json.dumps(parsed)}"
        ) from error
    if not min_choices <= len(texts) <= n:
        raise UnreadableReply(f"the reply holds {len(texts)} choices where n={n} was asked for")
    if numbers and numbers != list(range(len(texts))):
        raise UnreadableReply(f"the choices are numbered {numbers}, expected 0 to {len(texts) - 1}")
    if not all(isinstance(text, str) for text in texts):
        raise UnreadableReply("the reply's content is not text")
    return Reply(
        tuple(_without_surrogates(text) for text in texts),
        tuple("length" if r == "length" else "stop" for r in reasons),
        prompt_tokens,
        completion_tokens,
        _without_surrogates(_model_name(parsed)),
    )


def _model_name(parsed: dict[str, Any]) -> str:
    name = parsed.get("model")
    return name if isinstance(name, str) else ""


def _without_surrogates(text: str) -> str:
    """Return the text with '?' for what UTF-8 cannot hold: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def same_model(requested: str, reported: str) -> bool:
    """Return whether a reply's model can be the requested one: the same name, or a version of it.

    Folders are ignored. A size or a kind is no version: `-70b` and `-instruct` are other weights.

    >>> same_model("gpt-4o", "gpt-4o-2024-08-06"), same_model("llama-3", "llama-3-70b")
    (True, False)
    """
    expected, actual = (
        name.rstrip("/").rpartition("/")[2].casefold().removesuffix("-latest")
        for name in (requested, reported)
    )
    version = actual.removeprefix(expected)
    return actual.startswith(expected) and (not version or bool(_VERSION.fullmatch(version)))


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """Return the one choice that a reply names as a word of its own, or None; thinking is left out.

    >>> read_choice("**B**.", ["A", "B"]), read_choice("A or B", ["A", "B"])
    ('B', None)
    """
    answer = text.rpartition(_THINK_CLOSE)[2].strip()
    if _THINK_OPEN in answer:  # it never ended
        return None
    if answer in choices:
        return answer
    named = [c for c in choices if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", answer)]
    return named[0] if len(named) == 1 else None


def to_completions(call: Call, reply: Reply) -> list[Completion]:
    """Return a completion for each request; the tokens add up to what the server counted.

    The first counts the prompt's tokens, and the remainder of those that do not divide. Where one
    text answers all, the others count none.
    """
    share, remainder = divmod(reply.completion_tokens, len(reply.texts))
    completions = []
    for i, request in enumerate(call.requests):
        own = i if len(reply.texts) > 1 else 0
        tokens = (share if i < len(reply.texts) else 0) + (remainder if i == 0 else 0)
        prompt_tokens = 0 if i else reply.prompt_tokens
        text, reason = reply.texts[own], reply.reasons[own]
        completions.append(Completion(request.key, text, reason, prompt_tokens, tokens))
    return completions
