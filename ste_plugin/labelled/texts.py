"""The texts of a row that a judge is shown: a prompt and two answers, whatever form they have."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ste_plugin.labelled.asked import (
    PROMPTS,
    asked,
    dialogue,
    prompt_column,
    prompt_of,
    refuse_more,
    turns_asked,
    turns_in,
)
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.rows import Row
from ste_plugin.text.turns import ASSISTANT, Turn, in_words, is_turns, part_ways, read_spoken

_SPEAKER = "Assistant:"


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
    if not any(of_turns) and row.filled(PROMPTS) and not _go_on(row, first, second):
        return Texts(prompt_of(row), *_without_speaker(row, first, second))
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
    return Texts(asked(row, *_whole(row, columns[0], one[:count])), first, second)


def _whole(row: Row, column: str, shared: list[Turn]) -> tuple[str, list[Turn]]:
    """Return where the prompt of two conversations is, and its turns.

    That is what they share, or a prompt of turns that ends with it and so begins earlier.
    Raises: DataError where a column asks something else.
    """
    prompt = prompt_column(row)
    if row.filled([prompt]) and is_turns(row.columns[prompt]):
        turns = turns_in(row, prompt, row.columns[prompt])
        if turns[-len(shared) :] == shared:
            return prompt, turns
    refuse_more(row, column, shared)
    return column, shared


def _go_on(row: Row, first: str, second: str) -> bool:
    """Return whether two dialogues in words begin with the prompt, which is in a column, too."""
    said = [row.columns[column] for column in (first, second)]
    talks = [read_spoken(text) if isinstance(text, str) else [] for text in said]
    if not all(talks):
        return False
    turns = turns_asked(row, prompt_column(row))
    return all(talk[: len(turns)] == turns and len(talk) > len(turns) for talk in talks)


def _without_speaker(row: Row, first: str, second: str) -> tuple[str, str]:
    """Return two answers, without `Assistant:` where the prompt is a dialogue and both have it."""
    texts = (row.answer(first), row.answer(second))
    prompt = row.columns[prompt_column(row)]
    spoken = isinstance(prompt, str) and dialogue(prompt)
    if spoken and all(text.lstrip().startswith(_SPEAKER) for text in texts):
        texts = (
            row.not_empty(first, texts[0].lstrip().removeprefix(_SPEAKER).lstrip()),
            row.not_empty(second, texts[1].lstrip().removeprefix(_SPEAKER).lstrip()),
        )
    return texts


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
