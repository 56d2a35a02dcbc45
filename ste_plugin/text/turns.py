"""Turns of a conversation: read from the forms that files have them in, and shown as one text."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import dropwhile, takewhile, zip_longest
from typing import Any, NamedTuple

SYSTEM, USER, ASSISTANT, TOOL = "System", "User", "Assistant", "Tool"
_SPEAKERS = {
    SYSTEM: ("system", "developer"),
    USER: ("user", "human", "prompter"),
    ASSISTANT: ("assistant", "gpt", "chatgpt", "bing", "bard", "bot", "model"),
    TOOL: ("tool", "function", "observation", "ipython"),
}
_WHO = {name: who for who, names in _SPEAKERS.items() for name in names}
_KEYS = {"role": "content", "from": "value"}
"""Who speaks → what is said, in either form."""
_QUALITIES = "helpful|honest|harmless|friendly|polite|respectful|useful|AI"
_SAYS_NOTHING = re.compile(
    rf"(You are an?( ({_QUALITIES}),?( and)?)* assistant\.?)?", re.IGNORECASE
)
_SPOKEN = re.compile(r"\n\n(Human|Assistant):[ \t]*")
_SIDES = "|".join((*_SPEAKERS, "Human"))
_LIKE_TURN = re.compile(rf"^(?=(?:{_SIDES})(?:, turn \d+)?:)", re.MULTILINE)
_SHOWN = re.compile(rf"(?:^|\n\n)({_SIDES}): ")
_MARKED = re.compile(r"\s*<extra_id_1>(User|Assistant)\n")


class Turn(NamedTuple):
    """What one side says at a time."""

    who: str
    """System, User, Assistant or Tool."""
    said: str


def spoken_by(role: str) -> str:
    """Return the name of a chat message's role, as it is shown."""
    return _WHO[role]


class BadTurns(ValueError):
    """What is no conversation: found, and expected, without its place."""


def read_turns(value: Any) -> list[Turn]:
    """Return the turns of a list of `{role, content}` or `{from, value}`.

    One such object is one turn; one list per key, as `datasets` stores them, and JSON of any of
    these are read alike. What is said is text, or parts of type text. Raises: BadTurns.
    """
    listed = _from_json(value) if isinstance(value, str) else value
    if isinstance(listed, Mapping):
        of_lists = listed and all(isinstance(each, list) for each in listed.values())
        rows = zip_longest(*listed.values()) if of_lists else [tuple(listed.values())]
        listed = [dict(zip(listed, row, strict=True)) for row in rows]
    if not isinstance(listed, list) or not listed:
        raise BadTurns(f"found {_short(value)}; expected a list of turns")
    return [_read_turn(turn) for turn in listed]


def _read_turn(turn: Any) -> Turn:
    key = next((k for k in _KEYS if isinstance(turn, Mapping) and turn.get(k) is not None), "")
    if not key:
        raise BadTurns(
            f"found {_short(turn)}; expected turns with role and content (or from, value)"
        )
    role = str(turn[key])
    who = _WHO.get(role.strip().casefold())
    if who is None:
        raise BadTurns(f"found a turn of {role[:40]!r}; expected user, assistant, system or tool")
    return Turn(who, _words(turn.get(_KEYS[key]), role))


def _words(content: Any, role: str) -> str:
    """Return the text of a turn, which may come in parts."""
    parts = content if isinstance(content, list) else [content]
    said = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    texts = [text for text in said if isinstance(text, str)]
    if not texts or len(texts) < len(said):
        raise BadTurns(f"found a turn of {role!r} with {_short(content)}; expected text alone")
    return "\n".join(texts)


def _from_json(text: str) -> Any:
    try:
        return json.loads(text) if text.lstrip()[:1] in ("[", "{") else text
    except (ValueError, RecursionError):
        return text


def _short(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def is_turns(value: Any) -> bool:
    """Return whether a value is meant as turns: a list, an object, or JSON of known speakers'."""
    if not isinstance(value, str):
        return isinstance(value, list | Mapping)
    listed = _from_json(value)
    first = listed[0] if isinstance(listed, list) and listed else listed
    said = first if isinstance(first, Mapping) else {}
    speaker = next((said[who] for who, what in _KEYS.items() if who in said and what in said), "")
    return str(speaker).strip().casefold() in _WHO


def read_spoken(text: str) -> list[Turn]:
    r"""Return the turns of a text that is a dialogue in words, none of any other text.

    That is one that begins with `Human:` and goes on with `Assistant:`. What the last speaker has
    still to say is no turn.

    >>> read_spoken("\n\nHuman: Hi\n\nAssistant:")
    [Turn(who='User', said='Hi')]
    """
    first, *spoken = _SPOKEN.split(f"\n\n{text.strip()}")
    if first or len(spoken) < 4 or spoken[0] != "Human":
        return []
    names = [USER if name == "Human" else name for name in spoken[::2]]
    turns = [Turn(who, said.strip()) for who, said in zip(names, spoken[1::2], strict=True)]
    return turns if turns[-1].said else turns[:-1]


def read_marked(text: str) -> list[Turn]:
    r"""Return the turns of a prompt with HelpSteer2's marks of turns, none of any other text.

    >>> read_marked("Hi\n<extra_id_1>Assistant\nHello\n<extra_id_1>User\nWhy?")[-1]
    Turn(who='User', said='Why?')
    """
    first, *marked = _MARKED.split(text)
    turns = [Turn(who, said) for who, said in zip(marked[::2], marked[1::2], strict=True)]
    return [Turn(USER, first), *turns] if turns else []


def in_words(turns: Sequence[Turn]) -> str:
    r"""Return a conversation as a judge reads it: who says what, turn by turn.

    A user's single turn is its text alone. A system turn that asks for nothing is left out. A line
    within a turn that begins as a turn does is quoted, so that nobody speaks for another.

    >>> in_words([Turn("User", "Hi"), Turn("Assistant", "Hello"), Turn("User", "Why?")])
    'User: Hi\n\nAssistant: Hello\n\nUser: Why?'
    >>> in_words([Turn("User", "Hi\nUser: so"), Turn("Assistant", "Hello")])
    'User: Hi\n> User: so\n\nAssistant: Hello'
    """
    shown = [t for t in turns if t.who != SYSTEM or not _SAYS_NOTHING.fullmatch(t.said.strip())]
    if len(shown) == 1 and shown[0].who in (USER, ASSISTANT):
        return shown[0].said
    return "\n\n".join(f"{turn.who}: {_LIKE_TURN.sub('> ', turn.said)}" for turn in shown)


def user_turns(text: str) -> list[str]:
    r"""Return what the user says in a conversation that is shown so; nothing of other texts.

    >>> user_turns("User: Hi.\n\nAssistant: Hello.\n\nUser: Why?"), user_turns("Why, User?")
    (['Hi.', 'Why?'], [])
    """
    return [turn.said.strip() for turn in _shown_turns(text) if turn.who == USER]


def opening_turn(text: str) -> str:
    """Return what the user says first in a conversation that is shown so; '' for other texts."""
    return next(iter(user_turns(text)), "")


def without_system(text: str) -> str:
    r"""Return a conversation that is shown so without what the system was told above it.

    Any other text is returned as it is.

    >>> without_system("System: Be brief.\n\nUser: Hi")
    'Hi'
    """
    turns = _shown_turns(text)
    rest = list(dropwhile(lambda turn: turn.who == SYSTEM, turns))
    return in_words(rest) if 0 < len(rest) < len(turns) else text


def _shown_turns(text: str) -> list[Turn]:
    """Return the turns of a conversation that is shown so; none of other texts."""
    first, *parts = _SHOWN.split(text)
    turns = [Turn(who, said) for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return [] if first or len(turns) < 2 else turns


def part_ways(first: Sequence[Turn], second: Sequence[Turn]) -> int:
    """Return how many turns two conversations share, up to the last of them that waits for a reply.

    What follows in each is an answer to these.
    """
    shared = list(takewhile(lambda both: both[0] == both[1], zip(first, second, strict=False)))
    count = min(len(shared), len(first) - 1, len(second) - 1)
    while count and first[count - 1].who == ASSISTANT:
        count -= 1
    return count
