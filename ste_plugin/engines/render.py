"""Rendering turns with a chat template, in the first way in which it shows each of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.errors import EngineError


def render_turns(tokenizer: Any, turns: Sequence[Message], options: Mapping[str, Any]) -> str:
    """Return the rendered turns, none of them lost or rewritten.

    A template that refuses or drops a system turn gets it at the head of the first user turn; one
    that takes content as parts alone gets parts.
    Raises: EngineError where it shows the turns in none of these ways.
    """
    merged = merge_system(turns)
    problems = []
    for chat, in_parts in ((turns, False), (merged, False), (turns, True), (merged, True)):
        shown = _apply(tokenizer, chat, options, in_parts=in_parts)
        problem = _what_is_lost(shown, chat)
        if isinstance(shown, str) and problem is None:
            return shown
        problems.append(problem)
    raise EngineError(
        f"{tokenizer.name_or_path}: its chat template {problems[0]}. Use another template: "
        "chat_template.jinja in the model's folder, or an instruction-tuned model."
    )


def _apply(
    tokenizer: Any, turns: Sequence[Message], options: Mapping[str, Any], *, in_parts: bool
) -> str | Exception:
    """Return the rendered turns, or what the template raised."""

    def content(text: str) -> Any:
        return [{"type": "text", "text": text}] if in_parts else text

    chat = [{"role": m.role, "content": content(m.content)} for m in turns]
    try:
        return str(tokenizer.apply_chat_template(chat, **{**options, "tokenize": False}))
    except Exception as error:  # a template is a program, which may raise anything
        return error


def _what_is_lost(shown: str | Exception, turns: Sequence[Message]) -> str | None:
    """Return what a template does to turns other than showing each in its order, or None."""
    if isinstance(shown, Exception):
        roles = ", ".join(m.role for m in turns)
        return (
            f"refuses the turns {roles} ({str(shown).splitlines()[0] if str(shown) else shown!r})"
        )
    position = 0
    for turn in turns:
        found = shown.find(turn.content.strip(), position)
        if found < 0:
            return f"leaves out or rewrites a part of the prompt: {turn.content.strip()[:60]!r}"
        position = found + len(turn.content.strip())
    return None


def merge_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the turns with every system turn put at the head of the first user turn."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    others = [m for m in messages if m.role != "system"]
    if system and others:
        others[0] = Message(others[0].role, f"{system}\n\n{others[0].content}")
    return tuple(others)
