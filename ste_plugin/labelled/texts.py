"""The texts of a row that a judge is shown: a prompt and two answers, whatever form they have."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.rows import Row
from ste_plugin.text.turns import (
    ASSISTANT,
    SYSTEM,
    USER,
    BadTurns,
    Turn,
    in_words,
    is_turns,
    part_ways,
    read_marked,
    read_spoken,
    read_turns,
)

PROMPTS = ("prompt", "context", "conversations", "messages", "conversation", "instruction")
"""Columns that may hold what was asked; the first that is filled counts."""


class Texts(NamedTuple):
    """What is shown of a row."""

    prompt: str
    first: str
    second: str


def texts_of(row: Row, first: str, second: str) -> Texts:
    """Return prompt and answers of two columns.

    These hold answers alone, or whole conversations that begin alike: then what they share is the
    prompt, and what follows in each its answer. Raises: DataError.
    """
    if not row.filled((first, second)) and {first, second} <= row.columns.keys():
        row.unusable(f"{first!r} and {second!r} are both empty. Fill them in or remove the row.")
    row.require((first, second))
    of_turns = [is_turns(row.columns[column]) for column in (first, second)]
    if not any(of_turns) and row.filled(PROMPTS):
        return Texts(prompt_of(row), row.answer(first), row.answer(second))
    one, other = (_turns_or_dialogue(row, column) for column in (first, second))
    if not one and not other:
        return Texts(prompt_of(row), row.answer(first), row.answer(second))
    if not one or not other:
        row.unusable(
            f"one of {first!r} and {second!r} is a conversation and the other is not; expected "
            "both alike. Correct or remove the row."
        )
    replies = [turns[0].who == ASSISTANT for turns in (one, other)]
    if any(replies) and not all(replies):
        row.unusable(
            f"one of {first!r} and {second!r} begins with the prompt and the other with a reply; "
            "expected both alike. Correct or remove the row."
        )
    if all(replies):
        return Texts(prompt_of(row), _reply(row, first, one), _reply(row, second, other))
    return _apart(row, (first, second), one, other)


def _turns_or_dialogue(row: Row, column: str) -> list[Turn]:
    """Return the turns of a list, or of a dialogue in words; none of an answer's text."""
    value = row.columns[column]
    return turns_in(row, column, value) if is_turns(value) else read_spoken(row.text(column))


def turns_in(row: Row, column: str, value: Any) -> list[Turn]:
    """Return the turns in a column. Raises: DataError, also where one is no valid Unicode."""
    try:
        turns = read_turns(value)
    except BadTurns as error:
        row.unusable(f"{column!r} is no conversation: {error}. Correct it or remove the row.")
    for turn in turns:
        row.require_unicode(column, turn.said)
    return turns


def prompt_of(row: Row, columns: Sequence[str] = PROMPTS) -> str:
    """Return what was asked, several turns in words.

    Raises: DataError, also where the last word is the assistant's.
    """
    column = next(iter(row.filled(columns)), columns[0])
    row.require([column])
    value = row.columns[column]
    if is_turns(value):
        turns = turns_in(row, column, value)
    else:
        text = row.prompt(column)
        if column == "instruction" and row.filled(["input"]):
            text = f"{text}\n\n{row.text('input')}"
        turns = _dialogue(text) or read_marked(text)
        if not turns and not row.filled(["system"]):
            return text
        turns = turns or [Turn(USER, text)]
    return _asked(row, column, turns)


def _dialogue(text: str) -> list[Turn]:
    """Return the turns of a prompt in words that waits for a reply; of any other text, none."""
    turns = read_spoken(text)
    return turns if turns and turns[-1].who == USER else []


def _asked(row: Row, column: str, turns: Sequence[Turn]) -> str:
    if not turns or turns[-1].who in (ASSISTANT, SYSTEM):
        said = "the assistant's" if turns and turns[-1].who == ASSISTANT else "no user's"
        row.unusable(
            f"{column!r} ends with {said} turn, where a reply is to follow; expected the user's. "
            "Remove that turn, or the row."
        )
    system = [Turn(SYSTEM, row.text("system"))] if row.filled(["system"]) else []
    return row.not_empty(column, in_words([*system, *turns]))


def _apart(row: Row, columns: tuple[str, str], one: list[Turn], other: list[Turn]) -> Texts:
    """Return what two conversations share, and what follows in each."""
    count = part_ways(one, other)
    if not count:
        row.unusable(
            f"{columns[0]!r} and {columns[1]!r} do not begin with the same turn of the user, so "
            "they answer no common prompt. Correct or remove the row."
        )
    first, second = (
        _reply(row, column, turns[count:])
        for column, turns in zip(columns, (one, other), strict=True)
    )
    return Texts(_asked(row, columns[0], one[:count]), first, second)


def _reply(row: Row, column: str, turns: Sequence[Turn]) -> str:
    """Return an answer: the assistant's turn, or how the conversation goes on with it."""
    if turns[-1].who != ASSISTANT:
        row.unusable(
            f"{column!r} ends with a turn of the {turns[-1].who.lower()}, where the assistant's "
            "reply is judged; expected that last. Remove what follows it, or the row."
        )
    return row.not_empty(column, in_words(turns))


def make_pair(
    row: Row,
    key: str,
    subset: str,
    *,
    prompt: str = "prompt",
    responses: tuple[str, str] = ("chosen", "rejected"),
    **more: Any,
) -> LabelledPair:
    """Return a pair of the texts in three columns, the better response named first.

    `more` are further fields of the pair. Raises: DataError where the responses are equal.
    """
    asked, (chosen, rejected) = row.prompt(prompt), map(row.answer, responses)
    pair = LabelledPair(key, subset, asked, chosen, rejected, **more)
    refuse_equal(row, pair, *responses)
    return pair


def refuse_equal(row: Row, pair: LabelledPair, chosen: str, rejected: str) -> None:
    """Raise DataError where both responses are one text, whatever surrounds it."""
    if pair.chosen.strip() == pair.rejected.strip():
        called = f"pair {pair.id!r}" if pair.id else "the pair"
        row.unusable(
            f"{chosen!r} and {rejected!r} are the same text, so no verdict on {called} can "
            "be right. Remove the row."
        )
