"""Pairs labelled by people, in a file of one's own: what each person said of each pair."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.labelled import read_labelled
from ste_plugin.labelled.labels import LABELLED, label_of
from ste_plugin.labelled.pair import LabelledPair, VoteCounts
from ste_plugin.labelled.row_files import file_rows
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.shapes import OWN_SHAPES, shape_of
from ste_plugin.labelled.sides import read_pair
from ste_plugin.review.labels import read_labels
from ste_plugin.review.majority import most_say

VOTES, LABELS = "votes", "labels"
_TIES = dict.fromkeys(("tie", "neither", "both"), 2)
_SIDES = {"chosen": 0, "better": 0, "rejected": 1, "worse": 1} | _TIES
_LETTERS = {"a": 0, "response_a": 0, "b": 1, "response_b": 1} | _TIES
"""What people can have said, in any letters → its place in the votes."""


class PeopleOnPair(NamedTuple):
    """How many people preferred which answer of a pair."""

    id: str
    votes: VoteCounts
    pair: LabelledPair | None
    """Its texts; None in a file of labels alone, as `ste review` writes it."""

    @property
    def preferred(self) -> int | None:
        """0 where most preferred the chosen answer, 1 the rejected one; None for neither."""
        return {1: 0, -1: 1}.get(most_say(*self.votes))


def read_people(path: Path) -> dict[str, PeopleOnPair]:
    """Return id → what people said of the pairs of a file, those without any label left out.

    It is the file of labels of `ste review`, or one of pairs (JSONL, JSON, CSV, Parquet): id,
    prompt, and chosen and rejected, or response_a and response_b; or any shape in which preferences
    are published, one label a row. Who said what is in `labels`
    ({"ann": "chosen", "ben": "tie"}), or counted in `votes` ([chosen, rejected, tie]); without
    either, chosen (or the `label`) is what one person said.
    Raises: DataError naming the row that is none of this.
    """
    if not path.exists():
        raise DataError(
            f"{path}: no such file. --labels is a file of pairs that people labelled, or "
            "review/labels.jsonl of a run."
        )
    if _is_of_review(path):
        return _of_review(path)
    if _is_of_another_shape(path):
        pairs = read_labelled(path, name="labels")
        return {p.id: PeopleOnPair(p.id, p.votes, p) for p in pairs if any(p.votes)}
    found: dict[str, PeopleOnPair] = {}
    places: dict[str, str] = {}
    for row in file_rows(path, "labels"):
        people = _read(row)
        if people.id in places:
            raise DataError(
                f"{row.where}: id {people.id!r} was already at {places[people.id]}. Give every "
                "pair one row, and what several people said in its column `labels`."
            )
        places[people.id] = row.where
        found[people.id] = people
    labelled = {key: people for key, people in found.items() if any(people.votes)}
    if not labelled:
        raise DataError(
            f"{path}: no pair with a label; expected `labels`, `votes`, `label`, or chosen and "
            "rejected."
        )
    return labelled


def _is_of_another_shape(path: Path) -> bool:
    """Return whether a file has rows as others publish them, with one label each and no id."""
    try:
        row = next(file_rows(path, "labels"))
        counted = row.filled(("id", LABELS, VOTES))
        return shape_of(row, None, {}) not in OWN_SHAPES or not counted
    except (StopIteration, DataError):  # what reads our own shapes says what is wrong
        return False


def _is_of_review(path: Path) -> bool:
    if path.suffix != ".jsonl" or not path.is_file():
        return False
    with path.open("rb") as file:
        return b'"pair_key"' in file.readline()


def _of_review(path: Path) -> dict[str, PeopleOnPair]:
    counts: dict[str, Counter[str]] = {}
    for label in read_labels(path, "pair"):
        counts.setdefault(label.pair_key, Counter())[str(label.choice)] += 1
    return {
        key: PeopleOnPair(key, (said["better"], said["worse"], said["tie"]), None)
        for key, said in counts.items()
    }


def _read(row: Row) -> PeopleOnPair:
    said = row.filled((LABELS, VOTES))
    if len(said) > 1:
        raise DataError(f"{row.where}: found both 'labels' and 'votes'; expected one of them.")
    columns = {name: value for name, value in row.columns.items() if name not in said}
    plain = replace(row, columns=columns | {"subset": columns.get("subset") or "labels"})
    plain.require(["id"])
    pair = read_pair(plain)
    if not said:
        return PeopleOnPair(pair.id, pair.votes, pair)
    first, second, neither = _votes(row, said[0])
    if not row.filled(LABELLED) and label_of(plain) == "B":  # so that B is the chosen one
        first, second = second, first
    votes = (first, second, neither)
    return PeopleOnPair(pair.id, votes, replace(pair, votes=votes))


def _votes(row: Row, column: str) -> VoteCounts:
    """Return the votes of a row: for chosen (or A), for rejected (or B), for neither."""
    sides = _SIDES if row.filled(LABELLED) else _LETTERS
    counts = [0, 0, 0]
    for place, number in _counted(_parsed(row.columns[column]), column, sides):
        if place is None or type(number) is not int or number < 0:
            raise _unexpected(row, column, sides)
        counts[place] += number
    if not any(counts):
        raise _unexpected(row, column, sides)
    return counts[0], counts[1], counts[2]


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
