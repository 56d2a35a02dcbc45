"""Turning chat turns into the text that a model reads, with its own chat template."""

from collections.abc import Callable, Sequence
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.errors import EngineError
from ste_plugin.text.sanitize import sanitize_for_tokenizer


def render_chat(tokenizer: Any, messages: Sequence[Message], *, prefix: str = "") -> str:
    """Return the prompt up to where the assistant continues, after `prefix`.

    A template that refuses or drops a system turn gets it at the head of the first user turn.
    Special tokens of this tokenizer in the turns' content are broken up: only the template's own
    are left.
    Raises: EngineError where the tokenizer has no chat template.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise EngineError(
            f"{tokenizer.name_or_path}: its tokenizer has no chat template, so chat turns cannot "
            "be shown to it. Use an instruction-tuned model, or put chat_template.jinja in its "
            "folder."
        )
    messages = [Message(m.role, sanitize_for_tokenizer(tokenizer, m.content)) for m in messages]
    text = _apply_template(tokenizer, messages)
    if text is None or any(m.content.strip() not in text for m in messages if m.role == "system"):
        text = _apply_template(tokenizer, merge_system(messages))
    if text is None:
        raise EngineError(
            f"{tokenizer.name_or_path}: its chat template refuses the turns "
            f"{', '.join(m.role for m in messages)}."
        )
    return text + prefix


def added_token(text: Sequence[int], longer: Sequence[int]) -> int | None:
    """Return the one token that `longer` has after those of `text`, or None where they merge.

    >>> added_token([5, 6], [5, 6, 7])
    7
    >>> added_token([5, 6], [5, 8]) is None
    True
    """
    return longer[-1] if longer and list(longer[:-1]) == list(text) else None


def choice_token(
    tokenize: Callable[[str], Sequence[int]], text: str, ids: Sequence[int], choice: str, model: str
) -> int:
    """Return the one token that is `choice` after `text`, whose tokens are `ids`.

    `tokenize`: the model's tokenizer.

    Raises: EngineError where the two merge, so that the model cannot be made to choose there.
    """
    token = added_token(ids, tokenize(text + choice))
    if token is None:
        raise EngineError(
            f"{model}: its tokenizer does not write {choice!r} after {text[-12:]!r} as one "
            "token of its own, so a verdict cannot be forced there. Set force_verdict: false, or "
            "use a judge format with other closing words."
        )
    return token


def _apply_template(tokenizer: Any, messages: Sequence[Message]) -> str | None:
    from jinja2 import TemplateError

    turns = [{"role": m.role, "content": m.content} for m in messages]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except TemplateError:
        return None


def merge_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the turns with every system turn put at the head of the first user turn."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    others = [m for m in messages if m.role != "system"]
    if system and others:
        others[0] = Message(others[0].role, f"{system}\n\n{others[0].content}")
    return tuple(others)
