"""Conversations: which of their turns are an instruction."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ste_plugin.instructions.sources.row_values import (
    LONE_SURROGATE,
    BadRow,
    LeftOut,
    content_text,
    describe,
    from_json,
)
from ste_plugin.records import ChatTurn, Turns

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig

_SYSTEM = ("system", "developer")
_QUALITIES = "helpful|honest|harmless|friendly|polite|respectful|useful|AI"
_SAYS_NOTHING = re.compile(rf"You are an?( ({_QUALITIES}),?( and)?)* assistant\.?", re.IGNORECASE)
"""A system turn that asks for nothing."""
_NOT_FIRST = "first turn is not the user's"
_CALLS = ("function_call", "tool_call", "tool_calls")
_ROLES = {
    "system": _SYSTEM,
    "user": ("user", "human"),
    "assistant": ("assistant", "gpt", "chatgpt", "model", "bot", "ai"),
    "tool": ("tool", "function", "observation", "ipython", "tool_result", *_CALLS),
}
_SIDES = {role: side for side, roles in _ROLES.items() for role in roles}
"""What data sets call those who speak → who that is."""
_USERS = _ROLES["user"]
_KEYS = (("role", "content"), ("from", "value"))
"""What data sets call who speaks and what is said; a form is read with either."""


class UpToTurn(NamedTuple):
    """A conversation up to one of the user's turns."""

    number: int
    """Of the turn among the user's, from 1."""
    turns: Turns
    is_last: bool
    """Whether the user says nothing after it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A column of turns, in which what the user asks is the instruction."""

    column: str
    role: str
    content: str

    def text(self, row: Mapping[str, Any], source: "SourceConfig") -> str:
        """Return what the user asks first, in one turn or several, below what the system was told.

        Raises: LeftOut for the middle of a conversation, where that makes no sense alone, and for
        a system turn where the source refuses it.
        """
        turns = self._turns(row[self.column])
        rest = turns[len(self._system(turns)) :]
        first = list(takewhile(lambda turn: self._is_from(turn, _USERS), rest))
        if not first:
            if rest:
                self._require(rest[0], self.role)
            if any(self._is_from(turn, _USERS) for turn in turns):
                raise LeftOut(_NOT_FIRST)
            raise self._no_user(turns)
        said = [self._words(self._require(turn, self.content)) for turn in first]
        asked = "\n\n".join(words for words in said if words)
        return self._told_first(turns, source) + asked if asked else ""

    def told(self, row: Mapping[str, Any], source: "SourceConfig") -> str:
        """Return what `text` has above the user's words: the system's, each with a blank line.

        Raises: LeftOut for a system turn where the source refuses it.
        """
        return self._told_first(self._turns(row[self.column]), source)

    def _told_first(self, turns: Sequence[dict[str, Any]], source: "SourceConfig") -> str:
        told = [self._told(turn, source) for turn in self._system(turns)]
        return "".join(f"{words}\n\n" for words in told if words)

    def _system(self, turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the system's turns that come before all others."""
        return list(takewhile(lambda turn: self._is_from(turn, _SYSTEM), turns))

    def up_to_user_turns(
        self, row: Mapping[str, Any], source: "SourceConfig"
    ) -> Iterator["UpToTurn"]:
        """Yield the conversation up to each turn of the user, or up to the last alone, as the
        source says. Turns of one side in a row are one.

        Raises: LeftOut or BadRow at the first turn that cannot be used, once those before it are
        yielded.
        """
        turns = self._turns(row[self.column])
        users = [n for n, turn in enumerate(turns) if _SIDES.get(self._role(turn)) == "user"]
        if not users:
            raise self._no_user(turns)
        ends = [n for n, after in zip(users, [*users[1:], -1], strict=True) if after != n + 1]
        numbered = list(enumerate(ends, start=1))
        said: list[ChatTurn] = []
        start = 0
        for number, end in numbered[-1:] if source.turns == "last" else numbered:
            for position in range(start, end + 1):
                self._add(said, turns[position], position + 1, source)
            start = end + 1
            yield UpToTurn(number, tuple(said), is_last=end == ends[-1])

    def _add(
        self, said: list[ChatTurn], turn: Mapping[str, Any], position: int, source: "SourceConfig"
    ) -> None:
        """Add what is said in a turn; `position` is from 1. Raises: LeftOut, BadRow."""
        side = self._side(turn, position)
        role: Literal["system", "user", "assistant"]
        if side == "system":
            role, words = "system", self._told(turn, source)
            if not words:
                return
            if any(earlier.role != "system" for earlier in said):
                raise LeftOut("system turn within the conversation")
        else:
            if source.tools == "refuse" and (side == "tool" or _calls(turn)):
                raise LeftOut("tool call in the conversation")
            role, words = "user" if side == "user" else "assistant", self._said(turn, side)
            if not words:
                raise BadRow(
                    f"{self.column}: turn {position}: expected words, found an empty turn",
                    "empty turn",
                )
            if role == "assistant" and all(earlier.role == "system" for earlier in said):
                raise LeftOut(_NOT_FIRST)
        if said and said[-1].role == role:
            words = f"{said.pop().content}\n\n{words}"
        said.append(ChatTurn(role, words))

    def _role(self, turn: Mapping[str, Any]) -> str:
        role = turn.get(self.role)
        return role.strip().casefold() if isinstance(role, str) else ""

    def _side(self, turn: Mapping[str, Any], position: int) -> str:
        """Return who speaks. Raises: BadRow for nobody that is known."""
        role = self._require(turn, self.role)
        if side := _SIDES.get(self._role(turn)):
            return side
        raise BadRow(
            f"{self.column}: turn {position}: expected {self.role!r} to be user, assistant, system "
            f"or tool, found {describe(role)}",
            "unknown role",
        )

    def _told(self, turn: Mapping[str, Any], source: "SourceConfig") -> str:
        """Return what a system turn asks for; empty where that is nothing.

        Raises: LeftOut where the source refuses it.
        """
        words = self._words(turn.get(self.content))
        if not words or _SAYS_NOTHING.fullmatch(words) or source.system == "drop":
            return ""
        if source.system == "refuse":
            raise LeftOut("system turn")
        return words

    def _said(self, turn: Mapping[str, Any], side: str) -> str:
        """Return what is said in a turn, calls of tools and their results in words."""
        calls = _calls(turn)
        content = turn.get(self.content) if calls else self._require(turn, self.content)
        if side == "tool" and isinstance(content, dict):
            content = _as_json(content)
        words = self._words(content)
        if side == "tool" and words:
            is_call = "call" in self._role(turn)
            words = f"{'Tool call' if is_call else 'Tool result'}: {words}"
        return "\n\n".join([*filter(None, [words]), *(f"Tool call: {c}" for c in calls)])

    def _no_user(self, turns: Sequence[Mapping[str, Any]]) -> BadRow:
        return BadRow(
            f"{self.column}: no turn of the user among {len(turns)}", reason="no user turn"
        )

    def user_turns(self, row: Mapping[str, Any]) -> list[str]:
        """Return what the user says in each turn, wherever in the conversation it is."""
        asked = [t for t in self._turns(row[self.column]) if self._is_from(t, _USERS)]
        said = [self._words(self._require(turn, self.content)) for turn in asked]
        return [words for words in said if words]

    def _is_from(self, turn: Mapping[str, Any], who: tuple[str, ...]) -> bool:
        return self._role(turn) in who

    def _turns(self, value: Any) -> list[dict[str, Any]]:
        """Return the turns of a list, or of one list per key, as `datasets` may store them.

        Either may be written as JSON in a column of text.
        """
        turns = value = from_json(value) if isinstance(value, str) else value
        if isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values()):
            turns = [dict(zip(value, turn, strict=True)) for turn in zip_longest(*value.values())]
        if not isinstance(turns, list) or not all(isinstance(t, dict) for t in turns):
            raise BadRow(f"{self.column}: expected a list of turns, found {describe(value)}")
        return [self._under_own_keys(turn) for turn in turns]

    def _under_own_keys(self, turn: dict[str, Any]) -> dict[str, Any]:
        """Return a turn with who speaks and what is said under the keys that the form has."""
        for role, content in _KEYS:
            if turn.get(self.role) is None and turn.get(role) is not None:
                return {**turn, self.role: turn[role], self.content: turn.get(content)}
        return turn

    def _require(self, turn: Mapping[str, Any], key: str) -> Any:
        # Parquet fills keys that only other turns have with null, which says as little as no key.
        if (value := turn.get(key)) is None:
            raise BadRow(
                f"{self.column}: expected turns with {self.role!r} and {self.content!r}, "
                f"found one without {key!r}"
            )
        return value

    def _words(self, content: Any) -> str:
        words = content_text(content, f"{self.column}: {self.content}")
        return LONE_SURROGATE.sub("\ufffd", words).strip()


def _calls(turn: Mapping[str, Any]) -> list[str]:
    """Return the calls of tools in a turn that other words may be in, too."""
    found = [turn.get(key) for key in _CALLS]
    calls = [
        call for each in found if each for call in (each if isinstance(each, list) else [each])
    ]
    return [_call_in_words(call) for call in calls if call]


def _call_in_words(call: Any) -> str:
    """Return a call as NAME(ARGUMENTS), or as JSON where it is written in another way."""
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(name := function.get("name"), str):
        return call if isinstance(call, str) else _as_json(call)
    arguments = function.get("arguments") or ""
    return f"{name}({arguments if isinstance(arguments, str) else _as_json(arguments)})"


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
