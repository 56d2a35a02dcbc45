"""What hosts hand over as prompts and completions: text, or turns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.judge.texts import Prompt, prompt_text
from ste_plugin.text.thinking import ends_in_opening, split_thinking


def read_prompt(prompt: Any, where: str = "prompt") -> Prompt:
    """Return a prompt as a judge takes it: a text, or turns with role and text alone.

    Raises: DataError for what is neither, is empty, or ends with another turn than the user's.
    """
    if not isinstance(prompt, str):
        prompt = [_turn(turn) for turn in prompt] if _is_list(prompt) else prompt
    try:
        text = prompt_text(prompt)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    if not text.strip():
        raise DataError(f"{where}: found an empty text; expected what the answers answer.")
    read: Prompt = prompt
    return read


def read_answer(completion: Any, prompt: Any = "", where: str = "completion") -> str:
    """Return the answer that a completion gives, without any thinking and blanks around it.

    Of turns the last one of the assistant counts; what calls a tool and says nothing is empty, as
    is a thought that never ends. `prompt`: as rendered, in case that it opened the thought.
    Raises: DataError for what is neither text nor turns.

    >>> read_answer([{"role": "assistant", "content": "<think>Fruit?</think> An apple. "}])
    'An apple.'
    """
    return split_thinking(_said(completion, where), opened=ends_in_opening(prompt)).said.strip()


def prompt_key(prompt: Prompt) -> str:
    """Return what two prompts share exactly where they are the same."""
    return prompt if isinstance(prompt, str) else json.dumps(prompt, sort_keys=True)


def _said(completion: Any, where: str) -> str:
    if isinstance(completion, str):
        return completion
    turns: list[Any] = list(map(_as_mapping, completion)) if _is_list(completion) else [completion]
    if all(isinstance(turn, Mapping) for turn in turns):
        spoken = [turn for turn in turns if turn.get("role", "assistant") == "assistant"]
        content = _text_of(spoken[-1].get("content")) if spoken else ""
        if isinstance(content, str):
            return content
    raise DataError(
        f"{where}: found {str(completion)[:60]!r}; expected a text, or a list of turns such as "
        '[{"role": "assistant", "content": "…"}].'
    )


def _turn(turn: Any) -> Any:
    """Return role and text of a turn; hosts add keys of their own, as `reasoning_content`."""
    turn = _as_mapping(turn)
    if not isinstance(turn, Mapping) or not {"role", "content"} <= turn.keys():
        return turn
    return {"role": turn["role"], "content": _text_of(turn["content"])}


def _as_mapping(turn: Any) -> Any:
    """Return a turn that is a pydantic model, as in verifiers, as a mapping; others as they are."""
    return turn.model_dump() if hasattr(turn, "model_dump") else turn


def _text_of(content: Any) -> Any:
    """Return the text of parts that are all text, and nothing for None; else what was given."""
    if content is None:
        return ""
    if not _is_list(content):
        return content
    parts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
    texts = [text for part in parts if isinstance(text := part.get("text"), str)]
    return "".join(texts) if len(texts) == len(content) else content


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
