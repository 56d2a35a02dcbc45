"""Reading a server's replies."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ste_plugin.engines.http.finish_reasons import Ending, read_ending
from ste_plugin.engines.http.refusal import Refusal, read_refusal, status_of

_VERSION = re.compile(r"[-@:](\d{3,}[\d.-]*|v\d[\d.]*|latest)")
_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Fields beside `content` for a thought: DeepSeek, SGLang, llama.cpp and older versions of vLLM;
later ones, OpenRouter and Ollama; Ollama's own API behind gateways."""
_STREAMS = "The server streams what should come at once: set options.extra_body: {stream: false}."


class UnreadableReply(Exception):
    """A reply that does not follow the protocol, and what to do about it where that is known."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


class RefusedReply(Exception):
    """A reply whose status says success, and that holds an error."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Said:
    """One sample, as the server gives it."""

    text: str
    ending: Ending
    reasoning: str = ""
    """A thought that the server told apart."""
    reason: str = ""
    """The server's own word for the ending."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the server."""

    samples: tuple[Said, ...]
    """By the index of the choice; none where it refuses."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Of all samples together."""
    model: str = ""
    """The name that the server gives for the model, if it does."""
    estimated: bool = False
    """Whether the server counts no tokens, so that these are estimates."""
    refused: Literal["", "too_long", "blocked", "unclear", "samples", "fields"] = ""
    """What there are no samples for: this prompt, which is too long or blocked, or is refused for a
    reason that is not known; several samples in one call; or fields that are named otherwise from
    here on."""
    words: str = ""
    """What the server said to that; to what is unclear the error that it is, were it not alone."""
    no_choice: str = ""
    """Where it names none of the choices that were asked for, so that its text is empty: the error
    that it is, were it not alone."""
    server: str = ""
    """The URL that gave it."""

    @property
    def prompt_is_refused(self) -> bool:
        """Whether this prompt gets no answer, however it is asked."""
        return self.refused in ("too_long", "blocked", "unclear")


PROMPT_TOO_LONG = Reply((), refused="too_long")
PROMPT_BLOCKED = Reply((), refused="blocked")
PROMPT_UNCLEAR = Reply((), refused="unclear")
SAMPLES_REFUSED = Reply((), refused="samples")
FIELDS_REFUSED = Reply((), refused="fields")


def read_json(content: bytes) -> Any:
    """Return what a response holds: its JSON, or its text where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")


def read_reply(content: bytes, n: int, min_choices: int) -> Reply:
    """Return what a successful response holds: n choices, or at least `min_choices`.

    Raises: UnreadableReply saying what is wrong with it; RefusedReply for an error in place of the
    choices, or in all of them.
    """
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        if content.lstrip().startswith((b"data:", b"event:")):
            raise UnreadableReply("the reply is a stream", _STREAMS) from error
        raise UnreadableReply(f"the reply is not JSON ({error})") from error
    _raise_for_error(parsed)
    try:
        choices = sorted(parsed["choices"], key=lambda choice: choice.get("index", 0))
        numbers = [choice["index"] for choice in choices if "index" in choice]
        samples = tuple(map(_read_choice, choices))
        prompt_tokens, completion_tokens = _read_usage(parsed.get("usage"))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableReply(
            f"the reply is not a chat completion ({error!r}): {json.dumps(parsed)}"
        ) from error
    if not min_choices <= len(samples) <= n:
        raise UnreadableReply(f"the reply holds {len(samples)} choices where n={n} was asked for")
    if numbers and numbers != list(range(len(samples))):
        raise UnreadableReply(
            f"the choices are numbered {numbers}, expected 0 to {len(samples) - 1}"
        )
    if all(sample.ending == "failed" for sample in samples):
        raise RefusedReply(_choice_refusal(choices[0], samples[0].reason))
    return Reply(samples, prompt_tokens, completion_tokens, _model_name(parsed))


def _raise_for_error(parsed: Any) -> None:
    """Raise RefusedReply where a reply with the status of success is an error."""
    if not isinstance(parsed, dict):
        return
    error = parsed.get("error")
    if error:
        raise RefusedReply(read_refusal(status_of(error, 502), {"error": error}))
    if parsed.get("object") == "chat.completion.chunk":
        raise UnreadableReply("the reply is part of a stream", _STREAMS)
    if parsed.get("choices"):
        return
    for key in ("promptFeedback", "prompt_feedback"):  # Gemini's, where a prompt is blocked
        if isinstance(parsed.get(key), dict):
            raise RefusedReply(read_refusal(400, parsed[key]))
    if parsed.get("object") == "error" or status_of(parsed, 0):  # vLLM until 0.9, SGLang; gateways
        raise RefusedReply(read_refusal(status_of(parsed, 502), parsed))


def _choice_refusal(choice: dict[str, Any], reason: str) -> Refusal:
    """Return the error that a choice holds, or one that says how it ended."""
    error = choice.get("error")
    said = f"the reply was broken off (finish_reason {reason!r})"
    if not error:
        return Refusal(502, said)
    refusal = read_refusal(status_of(error, 502), {"error": error})
    return Refusal(refusal.status, f"{said}: {refusal.message}", refusal.codes, refusal.fields)


def _read_choice(choice: dict[str, Any]) -> Said:
    reason = choice.get("finish_reason")
    ending: Ending = "failed" if choice.get("error") else read_ending(reason)
    is_said = ending in ("stop", "length")
    message = choice["message"] if is_said else choice.get("message") or {}
    text, thought = _parts(message.get("content"))
    thoughts = [thought, *(message[f] for f in _REASONING if isinstance(message.get(f), str))]
    details = _details(message.get("reasoning_details"))
    reasoning = next((t for t in (*thoughts, details) if t and t.strip()), "")
    if not text and message.get("refusal"):  # OpenAI's, in place of content
        ending = "blocked"
    return Said(_encodable(text), ending, _encodable(reasoning), str(reason))


def _parts(content: Any) -> tuple[str, str]:
    """Return the text and the thought of a message's content: a text, nothing, or a list of parts.

    Raises: ValueError for anything else.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise ValueError("the reply's content is not text")
    said = "".join(_texts(p for p in content if p.get("type") in ("text", "output_text")))
    return said, "".join(_texts(p for p in content if p.get("type") in ("thinking", "reasoning")))


def _texts(parts: Iterable[Any]) -> Iterable[str]:
    for part in parts:
        value = next((part[k] for k in ("text", "thinking", "reasoning") if part.get(k)), "")
        yield value if isinstance(value, str) else "".join(_texts(value))


def _details(details: Any) -> str:
    """Return the text of OpenRouter's `reasoning_details`."""
    found = [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    return "".join(str(d.get("text") or d.get("summary") or "") for d in found)


def _read_usage(usage: Any) -> tuple[int, int]:
    """Return the tokens read and written, as far as a server counts them.

    A gateway may leave out those that it found in its cache. OpenAI counts them in, so they are
    added only where more are cached than were counted at all.
    """
    usage = usage or {}
    read, written = (int(usage.get(f"{kind}_tokens") or 0) for kind in ("prompt", "completion"))
    details = usage.get("prompt_tokens_details") or {}
    cached = int(details.get("cached_tokens") or usage.get("cache_read_input_tokens") or 0)
    return read + cached if cached > read > 0 else read, written


def _model_name(parsed: dict[str, Any]) -> str:
    name = parsed.get("model")
    return _encodable(name) if isinstance(name, str) else ""


def _encodable(text: str) -> str:
    """Return the text with '?' for what UTF-8 cannot hold: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def same_model(requested: str, reported: str) -> bool:
    """Return whether a reply's model can be the requested one: the same name, or a version of it.

    Where both name folders, those that both name are the same ones: two runs' judges may both lie
    in `merged`. A size or a kind is no version: `-70b` and `-instruct` are other weights.

    >>> same_model("gpt-4o", "gpt-4o-2024-08-06"), same_model("llama-3", "llama-3-70b")
    (True, False)
    """
    (folders, expected), (others, actual) = (_folders_and_name(n) for n in (requested, reported))
    if any(a != b for a, b in zip(reversed(folders), reversed(others), strict=False)):
        return False
    version = actual.removeprefix(expected)
    return actual.startswith(expected) and (not version or bool(_VERSION.fullmatch(version)))


def _folders_and_name(model: str) -> tuple[list[str], str]:
    parts = [part for part in model.casefold().split("/") if part not in ("", ".")]
    return parts[:-1], "".join(parts[-1:]).removesuffix("-latest")
