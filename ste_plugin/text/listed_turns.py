"""Texts that are lists of turns: what preference files of several turns keep in a column of text.

They are told by their shape, in JSON as well as in what Python or NumPy print, since tools that
write CSV print lists so.
"""

import re

_TEXT = r""""[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*'"""
_NULL = r"\b(?:null|None)\b"
_GAP = r"\s*,\s*|\s+"
_TEXTS = re.compile(rf"\[\s*(?:{_TEXT}|{_NULL})(?:(?:{_GAP})(?:{_TEXT}|{_NULL}))*\s*\]", re.DOTALL)
_TEXT_OR_NULL = re.compile(rf"{_TEXT}|({_NULL})", re.DOTALL)
_OBJECTS = re.compile(r"\[\s*\{.*\}\s*\]", re.DOTALL)
_SPEAKER = re.compile(
    r"""["'](?:role|from)["']\s*:\s*["'](?:system|user|human|assistant|gpt|tool)["']"""
)
_WORDS = re.compile(r"""["'](?:content|value)["']\s*:""")


def is_list_of_texts(text: str) -> bool:
    """Return whether a text is nothing but a list of texts and nulls, or a conversation.

    >>> is_list_of_texts('["What is a fjord?", null]'), is_list_of_texts("A list: ['a']")
    (True, False)
    """
    return _TEXTS.fullmatch(text.strip()) is not None or is_conversation(text)


def is_list_of_turns(text: str) -> bool:
    """Return whether it is one that no answer is: with a null among the texts, or a conversation.

    >>> is_list_of_turns('["A long inlet.", null]'), is_list_of_turns('["apple", "pear"]')
    (True, False)
    """
    listed = _TEXTS.fullmatch(text.strip()) is not None
    nulls = listed and any(m[1] for m in _TEXT_OR_NULL.finditer(text))
    return nulls or is_conversation(text)


def is_conversation(text: str) -> bool:
    """Return whether a text is a list of turns, each with who speaks and what is said.

    >>> is_conversation('[{"role": "user", "content": "Hi"}]'), is_conversation('[{"role": "a"}]')
    (True, False)
    """
    objects = _OBJECTS.fullmatch(text.strip()) is not None
    return objects and bool(_SPEAKER.search(text) and _WORDS.search(text))
