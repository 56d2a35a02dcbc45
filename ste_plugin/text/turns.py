"""A conversation in words: the one way in which judges, pages and comparisons are shown turns."""

import re
from collections.abc import Iterable

SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant"}
"""Role → what stands before its turns."""
_LIKE_TURN = re.compile(rf"^(?=(?:{'|'.join(SPEAKERS.values())}|Human)(?:, turn \d+)?:)", re.M)


def show_turns(turns: Iterable[tuple[str, str]]) -> str:
    r"""Return (role, words) pairs as one text, a turn a paragraph.

    A line within a turn that begins as a turn does is shown as a quotation, so that nobody speaks
    for another.

    >>> show_turns([("user", "Hi."), ("assistant", "Hello."), ("user", "Why?\nUser: so")])
    'User: Hi.\n\nAssistant: Hello.\n\nUser: Why?\n> User: so'
    """
    return "\n\n".join(
        f"{SPEAKERS[role]}: {_LIKE_TURN.sub('> ', words.strip())}" for role, words in turns
    )


_SHOWN = re.compile(rf"(?:^|\n\n)({'|'.join(SPEAKERS.values())}): ")


def opening_turn(text: str) -> str:
    r"""Return what the user says first in a conversation that is shown so; '' for other texts.

    >>> opening_turn("User: Hi.\n\nAssistant: Hello.\n\nUser: Why?"), opening_turn("Why, User?")
    ('Hi.', '')
    """
    first, *parts = _SHOWN.split(text)
    said = list(zip(parts[::2], parts[1::2], strict=True))
    if first or len(said) < 2:
        return ""
    return next((words.strip() for who, words in said if who == SPEAKERS["user"]), "")
