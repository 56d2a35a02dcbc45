"""What people give a judge to compare: a prompt or a conversation, and two answers to it."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ste_plugin.errors import DataError, did_you_mean
from ste_plugin.text.turns import Turn, in_words, spoken_by

Prompt = str | Sequence[Mapping[str, Any]]
"""What was asked: a text, or a conversation that ends with the user's turn."""

Pair = tuple[Prompt, str, str]
"""What was asked, and two answers to it: A and B."""

_ROLES = ("system", "user", "assistant")


def prompt_text(prompt: Prompt) -> str:
    """Return a prompt as the judge is shown it; of a single turn its text, of more each with who
    speaks.

    Raises: DataError for what is no conversation, or ends with another turn than the user's.

    >>> prompt_text([{"role": "user", "content": "Hi"}])
    'Hi'
    """
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, Sequence) or not prompt:
        raise DataError(
            f"prompt: found {type(prompt).__name__} {str(prompt)[:40]!r}; expected a text, or a "
            'list of turns such as [{"role": "user", "content": "…"}].'
        )
    turns = [_turn(number, turn) for number, turn in enumerate(prompt, start=1)]
    if turns[-1][0] != "user":
        raise DataError(
            f"prompt: its last turn is the {turns[-1][0]}'s; expected the user's, as the answers "
            "that are compared come after it. Leave the last turn out."
        )
    return in_words([Turn(spoken_by(role), said) for role, said in turns])


def _turn(number: int, turn: object) -> tuple[str, str]:
    """Return role and text of a turn. Raises: DataError where it has none."""
    if not isinstance(turn, Mapping) or not {"role", "content"} <= turn.keys():
        raise DataError(
            f"prompt: turn {number}: found {str(turn)[:60]!r}; expected an object with role and "
            "content."
        )
    role, content = turn["role"], turn["content"]
    if role not in _ROLES:
        raise DataError(
            f"prompt: turn {number}: found role {str(role)[:40]!r}."
            f"{did_you_mean(str(role), _ROLES)} Expected one of {', '.join(_ROLES)}."
        )
    if not isinstance(content, str):
        raise DataError(
            f"prompt: turn {number}: found content of type {type(content).__name__}; expected text."
        )
    return role, content


def is_empty(text: str) -> bool:
    """Return whether nothing of a text can be seen: blanks, control and zero-width characters.

    >>> [is_empty(text) for text in (" ", "\\u200b\\x00", "0")]
    [True, True, False]
    """
    return not any(unicodedata.category(c)[0] not in "CZ" for c in text)


def problem_of(prompt: str, a: str, b: str) -> str:
    """Return what is wrong with texts that are to be compared, or nothing."""
    texts = {"the prompt": prompt, "answer A": a, "answer B": b}
    for name, text in texts.items():
        if not isinstance(text, str):
            return f"{name}: found {type(text).__name__}; expected text."
        if is_empty(text):
            return f"{name} is empty; expected text. Leave the pair out, or count it yourself."
    return ""
