"""What several people said of the two responses of a row, in its column `labels` or `votes`."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.labelled.labels import LABEL_COLUMNS, LABELLED, UNORDERED
from ste_plugin.labelled.pair import ONE_TIE, ONE_VOTE, UNLABELLED, LabelledPair, VoteCounts
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.sides import turned
from ste_plugin.labelled.texts import texts_of
from ste_plugin.review.majority import most_say

VOTES, LABELS = _COLUMNS = "votes", "labels"
_TIES = dict.fromkeys(("tie", "neither", "both"), 2)
_SIDES = {"chosen": 0, "better": 0, "rejected": 1, "worse": 1} | _TIES
_LETTERS = {"a": 0, "response_a": 0, "b": 1, "response_b": 1} | _TIES
"""What people can have said, in any letters → its place in the votes."""


def people_column(row: Row) -> str | None:
    """Return which column says what people said; None where neither holds anything.

    Raises: DataError where both do.
    """
    said = row.filled(_COLUMNS)
    if len(said) > 1:
        raise DataError(f"{row.where}: found both 'labels' and 'votes'; expected one of them.")
    return said[0] if said else None


def votes_of(row: Row, column: str, pair: LabelledPair) -> VoteCounts:
    """Return how many prefer the response that the row's pair calls chosen, the other one, neither.

    Raises: DataError where a column says something else.
    """
    sides = _sides_of(row)
    counts = [0, 0, 0]
    for place, number in _counted(_parsed(row.columns[column]), column, sides):
        if place is None or type(number) is not int or number < 0:
            raise _unexpected(row, column, sides)
        counts[place] += number
    if not any(counts):
        raise _unexpected(row, column, sides)
    first, second, neither = counts
    if not row.filled(LABELLED) and pair.chosen != texts_of(row, *UNORDERED).first:
        first, second = second, first  # something else has said that B is the better one
    return first, second, neither


class PeopleOfFile:
    """What people said of the pairs of a file in which anything may be called labels or votes.

    The column is theirs where it names a side, or counts three. Others' files have tags in it, or
    the upvotes of a post.
    """

    def __init__(self, rows: Callable[[], Iterable[Row]]) -> None:
        """`rows`: those of the file, once more."""
        self._rows = rows

    @cached_property
    def _said_anything(self) -> bool:
        return any(_says_sides(row, c) for row in self._rows() for c in row.filled(_COLUMNS))

    def heed(self, pair: LabelledPair, row: Row) -> LabelledPair:
        """Return a pair as most people say; unlabelled where nobody said anything of it, and did
        of others.

        Raises: DataError for a row with both columns, or in which one person's word is no side.
        """
        column = next((c for c in row.filled(_COLUMNS) if _says_sides(row, c)), None)
        if column is None:
            says_nothing = not row.filled((*_COLUMNS, *LABEL_COLUMNS))
            unlabelled = says_nothing and self._said_anything
            return replace(pair, votes=UNLABELLED) if unlabelled else pair
        people_column(row)
        said = most_say(*votes_of(row, column, pair))
        if said == 0:
            return replace(pair, votes=ONE_TIE)
        labelled = replace(pair, votes=ONE_VOTE)
        return labelled if said > 0 else turned(labelled)


def _says_sides(row: Row, column: str) -> bool:
    said, sides = _parsed(row.columns[column]), _sides_of(row)
    if column == VOTES and isinstance(said, list):
        return len(said) == 3 and all(type(number) is int for number in said)
    if not isinstance(said, Mapping):
        return False
    named = said if column == VOTES else said.values()
    return any(_side(each, sides) is not None for each in named)


def _sides_of(row: Row) -> Mapping[str, int]:
    return _SIDES if row.filled(LABELLED) else _LETTERS


def _counted(
    said: Any, column: str, sides: Mapping[str, int]
) -> Iterable[tuple[int | None, object]]:
    """Yield which side, None for none that there is, and how many said so."""
    if column == VOTES and isinstance(said, list) and len(said) == 3:
        return enumerate(said)
    if not isinstance(said, Mapping):
        return [(None, 0)]
    if column == VOTES:
        return ((_side(name, sides), number) for name, number in said.items())
    return ((_side(choice, sides), 1) for choice in said.values())


def _side(name: object, sides: Mapping[str, int]) -> int | None:
    return sides.get(str(name).strip().lower())


def _parsed(value: Any) -> Any:
    """Return a value of CSV, which is JSON as text, as what it stands for."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _unexpected(row: Row, column: str, sides: Mapping[str, int]) -> DataError:
    first, second = ("chosen", "rejected") if sides is _SIDES else ("A", "B")
    example = (
        f"[2, 1, 0]: how many said {first}, {second}, tie"
        if column == VOTES
        else f'{{"ann": "{first}", "ben": "tie"}}: what each said, {first}, {second} or tie'
    )
    return DataError(
        f"{row.where}: {column!r} is {str(row.columns[column])[:60]!r}; expected as {example}. "
        "Correct it or remove the row."
    )
