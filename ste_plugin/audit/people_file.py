"""Pairs labelled by people, in a file of one's own: what each person said of each pair."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.labelled import read_labelled
from ste_plugin.labelled.labels import LABEL_COLUMNS
from ste_plugin.labelled.pair import LabelledPair, VoteCounts
from ste_plugin.labelled.people import LABELS, VOTES, people_column, votes_of
from ste_plugin.labelled.read import Keep
from ste_plugin.labelled.row_files import file_rows
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.shapes import OWN_SHAPES, shape_of
from ste_plugin.labelled.sides import read_pair
from ste_plugin.lm_eval_tasks.shown_columns import CATEGORY_KEPT
from ste_plugin.review.labels import read_labels
from ste_plugin.review.majority import most_say


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


def read_people(path: Path, keep: Keep = CATEGORY_KEPT) -> dict[str, PeopleOnPair]:
    """Return id → what people said of the pairs of a file, those without any label left out.

    It is the file of labels of `ste review`, or one of pairs (JSONL, JSON, CSV, Parquet): id,
    prompt, and chosen and rejected, or response_a and response_b; or any shape in which preferences
    are published, one label a row. Who said what is in `labels`
    ({"ann": "chosen", "ben": "tie"}), or counted in `votes` ([chosen, rejected, tie]); in a file
    without either, chosen (or the `label`) is what one person said. `keep` takes further columns
    along.
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
        pairs = read_labelled(path, name="labels", keep=keep)
        return {p.id: PeopleOnPair(p.id, p.votes, p) for p in pairs if any(p.votes)}
    labelled = {p.id: p for p in _of_rows(path, keep) if any(p.votes)}
    if not labelled:
        raise DataError(
            f"{path}: no pair with a label; expected `labels`, `votes`, `label`, or chosen and "
            "rejected."
        )
    return labelled


def _of_rows(path: Path, keep: Keep) -> list[PeopleOnPair]:
    """Return the pairs of our own shapes. Raises: DataError naming the row that is none."""
    found: list[PeopleOnPair] = []
    places: dict[str, str] = {}
    unsaid: set[str] = set()
    people_said = False
    for row in file_rows(path, "labels"):
        people = _read(row, keep)
        if people.id in places:
            raise DataError(
                f"{row.where}: id {people.id!r} was already at {places[people.id]}. Give every "
                "pair one row, and what several people said in its column `labels`."
            )
        places[people.id] = row.where
        found.append(people)
        people_said |= bool(row.filled((LABELS, VOTES)))
        if not row.filled((LABELS, VOTES, *LABEL_COLUMNS)):
            unsaid.add(people.id)
    # beside rows that say who said what, a row without is one of which nobody said anything yet
    return [p for p in found if not (people_said and p.id in unsaid)]


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


def _read(row: Row, keep: Keep) -> PeopleOnPair:
    said = people_column(row)
    columns = {name: value for name, value in row.columns.items() if name != said}
    columns |= {"subset": columns.get("subset") or "labels"}
    plain = replace(row, columns=columns, shown=frozenset(keep.columns))
    plain.require(["id"])
    pair = keep(read_pair(plain), row)
    if not said:
        return PeopleOnPair(pair.id, pair.votes, pair)
    votes = votes_of(row, said, pair)
    return PeopleOnPair(pair.id, votes, replace(pair, votes=votes))
