"""The fields of a request that a server takes, found out from what it refuses."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from ste_plugin.engines.http.refusal import Refusal

Body = dict[str, Any]

NEUTRAL: dict[str, float] = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Sampling that no request wants, each off. Left unsaid, vLLM and SGLang would take them from the
model's generation_config.json, and llama.cpp's server from its own defaults."""
PENALTIES: dict[str, float] = {"presence_penalty": 0.0, "frequency_penalty": 0.0}
"""What no request wants, either, by OpenAI's names. Ollama would take them from the model's file
(1.5 for Qwen3.6), and the letter that a judge has just reasoned about would lose by it."""
_OTHER_NAME = {"max_tokens": "max_completion_tokens"}
"""OpenAI's reasoning models know the newer name alone."""
_OTHER_OFF = {"top_k": (0, -1)}
"""SGLang and older versions of vLLM write "all tokens" as -1."""
_OFF: dict[str, float] = NEUTRAL | PENALTIES | {"temperature": 1.0, "top_p": 1.0}
"""What a field's own default means, too."""
FIXED = {"model", "messages", "n", "stream"}
"""Fields without which it would be another request."""
TEMPLATE_KWARGS = "chat_template_kwargs"
"""What a server gives its chat template beside the turns."""
_NO_PENALTY = "Penalty is not enabled"
"""Gemini's words for both penalties, by no name."""
_NO_TEMPLATE = "not supported for Mistral tokenizers"
"""vLLM's words, from a tokenizer without a template: it opens no thought, and is given nothing."""


class RequestFields:
    """What one server's requests hold, beside what ours do; threads share it."""

    def __init__(self, extra: Mapping[str, Any], omitted: Sequence[str]) -> None:
        """`extra`: fields added to every request; `omitted`: names left out from the start."""
        self._extra = dict(extra)
        self._omitted = set(omitted)
        self._renamed: dict[str, str] = {}
        self._values: dict[tuple[str, float], float | None] = {}
        """Field and refused value → the value sent for it, or None where it is left out."""
        self._lock = Lock()

    def assume_openai(self) -> None:
        """Write requests as OpenAI's own servers take them, without finding that out."""
        self._omitted |= {*NEUTRAL, *PENALTIES}  # its reasoning models refuse these
        self._renamed |= _OTHER_NAME

    def apply(self, body: Body) -> Body:
        """Return a request as this server takes it, as far as is known."""
        with self._lock:
            return self._apply(body)

    def adapt(self, refusal: Refusal, sent: Body) -> str | None:
        """Learn from a refused request; return what changes from here on, in words.

        That is empty where another request was refused for the same before, and None where nothing
        changes: the refusal is about something else. No field is adapted twice to one value, so
        that a request is repeated a few times at most.
        """
        if not refusal.is_about_a_field:
            return None
        with self._lock:
            if self._apply(sent) != sent:
                return ""
            adaptable = set(sent) - FIXED - set(self._extra)
            named = refusal.named(adaptable)
            if _NO_PENALTY in refusal.message:
                named |= adaptable & set(PENALTIES)
            if _NO_TEMPLATE in refusal.message:
                named |= adaptable & {TEMPLATE_KWARGS}
            if {"temperature", "top_p"} <= named:  # both together are refused: one may stay
                named.discard("temperature")
            changes = [self._learn(f, sent[f], refusal) for f in sorted(named)]
        return "; ".join(change for change in changes if change) or None

    def _apply(self, body: Body) -> Body:
        fields: Body = {}
        for name, value in body.items():
            if name in self._omitted:
                continue
            if isinstance(value, (int, float)):
                value = self._values.get((name, value), value)
            if value is not None:
                fields[self._renamed.get(name, name)] = value
        return fields | self._extra | self._template_kwargs(fields)

    def _template_kwargs(self, fields: Body) -> Body:
        """Return what the template is given where a request and the user both say something."""
        own, told = fields.get(TEMPLATE_KWARGS), self._extra.get(TEMPLATE_KWARGS)
        if isinstance(own, dict) and isinstance(told, dict):
            return {TEMPLATE_KWARGS: own | told}
        return {}

    def _learn(self, field: str, value: Any, refusal: Refusal) -> str:
        """Return how the field is sent from here on, in words; empty for no other way."""
        if field in _OTHER_NAME and refusal.is_unsupported:
            self._renamed[field] = _OTHER_NAME[field]
            return f"{field} is sent as {_OTHER_NAME[field]}"
        if field in {*NEUTRAL, *PENALTIES, "seed"}:
            return self._drop(field, value, refusal)
        if field == TEMPLATE_KWARGS and _NO_TEMPLATE in refusal.message:
            self._omitted.add(field)
            return f"{field} is left out"
        if field in _OFF and refusal.is_unsupported:
            self._omitted.add(field)
            return f"{field} is left out, so that it samples by its own default and not at {value}"
        if field in _OFF and value == _OFF[field]:
            self._values[field, value] = None
            return f"{field} {value} is left out"
        return ""

    def _drop(self, field: str, value: Any, refusal: Refusal) -> str:
        """Leave out a field that only keeps a server's own settings away, or makes draws repeat."""
        off, other = _OTHER_OFF.get(field, (None, None))
        if value == off and not refusal.is_unsupported:
            self._values[field, value] = other
            return f"{field} {value} is sent as {other}"
        # Who checks names knows OpenAI's, or is OpenAI: none of these is set behind our back then.
        group = set(NEUTRAL) if refusal.is_unknown_field and field in NEUTRAL else {field}
        new = sorted(group - self._omitted)
        self._omitted |= group
        return f"{', '.join(new)} left out" if new else ""
