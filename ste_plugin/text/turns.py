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
