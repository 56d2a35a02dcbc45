"""Rendering turns with a chat template, in the first way in which it shows each of them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.errors import ConfigError, EngineError, nearest_or

_LISTED = re.compile(r"""["']text["']: ?["']""")
"""What a template writes that shows parts as a list, by Python's notation or JSON's."""


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
        if in_parts and problem is None:
            problem = _shown_as_list(shown, chat)
        if problem is None and _may_be_the_templates_own(tokenizer, chat):
            others = [Message(m.role, f"This is turn {n}.") for n, m in enumerate(chat)]
            told = _apply(tokenizer, others, options, in_parts=in_parts)
            problem = _lost(chat[0]) if _what_is_lost(told, others) else None
        if isinstance(shown, str) and problem is None:
            return shown
        problems.append(problem)
    raise EngineError(
        f"{tokenizer.name_or_path}: its chat template {problems[0]}. Use another template: "
        "chat_template.jinja in the model's folder, or an instruction-tuned model."
    )


def check_kwargs(tokenizer: Any, kwargs: Mapping[str, Any]) -> None:
    """Raise ConfigError for the first of `chat_template_kwargs` that no template reads.

    A template passes over what it does not know, so that a misspelt switch would switch nothing.
    """
    template = str(tokenizer.chat_template or "")
    words = sorted(set(re.findall(r"[A-Za-z_]\w*", template)))
    for name in kwargs:
        if template and name not in words:
            cure = nearest_or("remove the key.", name, words)
            raise ConfigError(
                f"chat_template_kwargs: {name}: the chat template of {tokenizer.name_or_path} "
                f"does not read it; {cure}"
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
            return _lost(turn)
        position = found + len(turn.content.strip())
    return None


def _shown_as_list(shown: str | Exception, turns: Sequence[Message]) -> str | None:
    """Return what a template does that writes a list of parts as such, or None."""
    own = sum(len(_LISTED.findall(turn.content)) for turn in turns)
    return _lost(turns[0]) if len(_LISTED.findall(str(shown))) > own else None


def _lost(turn: Message) -> str:
    return f"leaves out or rewrites a part of the prompt: {turn.content.strip()[:60]!r}"


def _may_be_the_templates_own(tokenizer: Any, turns: Sequence[Message]) -> bool:
    """Return whether the words of a turn are a template's as well, so that finding them is no sign.

    They may stand in its text, or be the name of a role.
    """
    own = (str(tokenizer.chat_template), *(m.role for m in turns))
    return any(m.content.strip() in text for m in turns for text in own)


def merge_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the turns with every system turn put at the head of the first user turn."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    others = [m for m in messages if m.role != "system"]
    if system and others:
        others[0] = Message(others[0].role, f"{system}\n\n{others[0].content}")
    return tuple(others)
