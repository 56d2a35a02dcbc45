"""What was asked in a row: one column of it, held against the others that may say it, too."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ste_plugin.instructions.sources.row_values import input_text
from ste_plugin.labelled.rows import Row
from ste_plugin.text.turns import (
    ASSISTANT,
    SYSTEM,
    USER,
    BadTurns,
    Turn,
    in_words,
    is_turns,
    read_marked,
    read_spoken,
    read_turns,
)

PROMPTS = (
    *("prompt", "context", "conversations", "messages", "conversation", "instruction"),
    *("question", "input"),
)
"""Columns that may hold what was asked; the first that is filled counts."""
HISTORY = "history"
"""Earlier questions and answers, [[question, answer], …], beside an instruction."""
_ASKS_NOTHING = re.compile(r"(?=.*[\d_])[\w.:#/-]+|\[\s*\]", re.ASCII)
"""An id, as c-17, q_4, a UUID, a hash; an empty list, which is text in CSV. A word may be all that
is asked, and a question in Chinese has no white space."""
_WITHIN_WORD = re.compile(r"(?<=\w)(?=\w)", re.ASCII)


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

    Raises: DataError, also where the last word is the assistant's, or another column asks more.
    """
    column = prompt_column(row, columns)
    row.require([column])
    turns = turns_asked(row, column)
    refuse_more(row, column, turns)
    return asked(row, column, turns)


def prompt_column(row: Row, columns: Sequence[str] = PROMPTS) -> str:
    """Return the column that holds what was asked: one that somebody named, or the first filled."""
    filled = row.filled(columns)
    return next((name for name in filled if name in row.named), next(iter(filled), columns[0]))


def turns_asked(row: Row, column: str) -> list[Turn]:
    """Return the turns of a prompt: of a list, of a dialogue in words, or one of any other text.

    Raises: DataError.
    """
    value = row.columns[column]
    if is_turns(value):
        return turns_in(row, column, value)
    text = row.prompt(column)
    if column == "instruction":
        if row.filled(["input"]) and (below := _input(row.columns["input"])):
            text = f"{text}\n\n{row.text_in('input', below)}"
        return [*_earlier(row), Turn(USER, text)]
    return dialogue(text) or read_marked(text) or [Turn(USER, text)]


def _input(value: Any) -> Any:
    """Return what an `input` says, in which a number is as good as text."""
    return input_text(value) if type(value) in (str, int, float) else value


def dialogue(text: str) -> list[Turn]:
    """Return the turns of a prompt in words that waits for a reply; of any other text, none."""
    turns = read_spoken(text)
    return turns if turns and turns[-1].who == USER else []


def _earlier(row: Row) -> list[Turn]:
    """Return the questions and answers before an instruction. Raises: DataError."""
    listed = row.columns.get(HISTORY)
    if not isinstance(listed, list):
        return []
    if not all(isinstance(both, list | tuple) and len(both) == 2 for both in listed):
        raise row.unexpected(HISTORY, listed, "a list of [question, answer]")
    return [
        Turn(who, row.text_in(HISTORY, said))
        for both in listed
        for who, said in zip((USER, ASSISTANT), both, strict=True)
    ]


def refuse_more(row: Row, column: str, turns: Sequence[Turn]) -> None:
    """Raise DataError where another column asks something that is not shown.

    Unless `columns` names the one that counts, or the judge format shows the other.
    """
    if column in row.named:
        return
    beside = {*row.shown, column, *(("input", HISTORY) if column == "instruction" else ())}
    shown = _plain(" ".join(turn.said for turn in turns))
    for other in row.filled((*PROMPTS, HISTORY)):
        if other not in beside and not _is_in(other, row.columns[other], shown):
            row.unusable(
                f"{other!r} asks something that is not in {column!r}, and one prompt is shown. "
                f"{_cure(row, column, other)}"
            )


def _cure(row: Row, column: str, other: str) -> str:
    """Return how to say which of two columns counts; of turns with both answers nobody can.

    Only texts are shown one below the other: of turns, lists and images no instruction is made.
    """
    if column not in PROMPTS:
        return "Correct or remove the row, or rename the column that does not count."
    first, below = (other, column) if other == "instruction" else (column, other)
    values = row.columns[first], _input(row.columns[below])
    texts = all(isinstance(value, str) and not is_turns(value) for value in values)
    both = f"{{instruction: {first}, input: {below}}} for both, one below the other"
    return (
        f"Say by columns what counts: {{prompt: {column}}} for that alone, or "
        f"{both if texts else 'write both into one text'}."
    )


def _is_in(column: str, value: Any, shown: str) -> bool:
    """Return whether all that a column asks is shown."""
    if column == HISTORY and isinstance(value, list):
        return not value
    try:
        texts = _asked_in(column, value)
    except BadTurns:  # what an image asks cannot be shown
        return False
    return all(_is_shown(_plain(text), shown) for text in texts)


def _asked_in(column: str, value: Any) -> list[str]:
    """Return what a column asks: nothing where it is an id, or neither text nor turns.

    What an `input` says is never an id: an instruction may be about it, as about H2O.
    Raises: BadTurns for turns with something other than text.
    """
    if column == "input":
        value = _input(value)
    if isinstance(value, str) and not is_turns(value):
        if column != "input" and _ASKS_NOTHING.fullmatch(value.strip()):
            return []
        turns = dialogue(value) or read_marked(value) or [Turn(USER, value)]
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    else:
        turns = read_turns(value) if isinstance(value, str) or _has_speakers(value) else []
    return [turn.said for turn in turns if turn.who == USER]


def _has_speakers(value: Any) -> bool:
    """Return whether a list or an object says who speaks."""
    listed = value if isinstance(value, list) else [value]
    return any(isinstance(each, Mapping) and {"role", "from"} & each.keys() for each in listed)


def _is_shown(text: str, shown: str) -> bool:
    """Return whether a text is shown: not only within a word, as art is in start."""
    start = shown.find(text)
    while start >= 0:
        if not any(_WITHIN_WORD.match(shown, edge) for edge in (start, start + len(text))):
            return True
        start = shown.find(text, start + 1)
    return False


def _plain(text: str) -> str:
    return " ".join(text.split())


def asked(row: Row, column: str, turns: Sequence[Turn]) -> str:
    """Return turns in words, below those of the column `system`.

    Raises: DataError where the last word is not the user's.
    """
    if not turns or turns[-1].who in (ASSISTANT, SYSTEM):
        said = "the assistant's" if turns and turns[-1].who == ASSISTANT else "no user's"
        row.unusable(
            f"{column!r} ends with {said} turn, where a reply is to follow; expected the user's. "
            "Remove that turn, or the row."
        )
    system = [Turn(SYSTEM, row.text("system"))] if row.filled(["system"]) else []
    same = system and any(_plain(t.said) == _plain(system[0].said) for t in turns)
    every = [*turns] if same else [*system, *turns]
    alone = len(every) == 1 and not is_turns(row.columns.get(column))
    return row.not_empty(column, every[0].said if alone else in_words(every))
