"""Pairs that people call wrong: read once per data set, and left out of it (`reviewed: drop`)."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ste_plugin.context import Iteration
from ste_plugin.errors import DataError
from ste_plugin.pairs.pool_files import Pool
from ste_plugin.records import Drop, Record
from ste_plugin.review.labels import labels_path, read_labels
from ste_plugin.review.majority import most_say
from ste_plugin.storage.jsonl import read_derived_json, replace_json

REASON = "people call it wrong (dataset.reviewed: drop)"


class Reviewed(Record, frozen=True):
    """What people had said of a run's pairs when a data set was begun: it is made of that."""

    labels_sha256: str
    """Of the file of labels; of nothing where there was none."""
    raters: int
    pairs: int
    """Of this run's, whatever their split, that somebody labelled."""
    of_other_pairs: int
    """Labelled pairs that are not this run's."""
    wrong: tuple[str, ...]
    """Keys of the pairs that most people call wrong, whatever their split."""


def reviewed_pairs(iteration: Iteration, pool: Pool) -> Reviewed:
    """Return what people said when this data set was begun, read now where it begins.

    Kept in `reviewed.json`, so that a resumed data set is made of the same labels, whichever came
    meanwhile; those count in the next one.
    Raises: DataError for a damaged file of labels, or one whose labels are all of other pairs.
    """
    kept = iteration.folder / "reviewed.json"
    if not kept.exists():
        path = labels_path(iteration.context.folder)
        known = (pair.key for pairs in pool.pairs.values() for pair in pairs)
        replace_json(kept, find_wrong(path, known).to_dict())
    return read_derived_json(kept, Reviewed.from_dict)


def find_wrong(path: Path, known: Iterable[str]) -> Reviewed:
    """Return what a file of labels says of the pairs with these keys.

    Raises: DataError for a damaged file, or one whose labels are all of other pairs.
    """
    content = path.read_bytes() if path.exists() else b""
    said = read_choices(path)
    own = {key: said[key] for key in known if key in said} if said else {}  # of millions
    if said and not own:
        raise DataError(
            f"{path}: its labels are of {len(said)} pairs, of which this run has none. Labels "
            "belong to the pairs that people saw: remove the file, or set dataset.reviewed: keep."
        )
    return Reviewed(
        labels_sha256=hashlib.sha256(content).hexdigest(),
        raters=len({rater for choices in own.values() for rater in choices}),
        pairs=len(own),
        of_other_pairs=len(said) - len(own),
        wrong=tuple(sorted(key for key, choices in own.items() if called_wrong(choices))),
    )


def called_wrong(choices: Mapping[str, str]) -> bool:
    """Return whether most raters, those who say tie among them, call the better answer worse.

    >>> called_wrong({"a": "worse"}), called_wrong({"a": "worse", "b": "tie"})
    (True, False)
    """
    votes = Counter(choices.values())
    return most_say(votes["better"], votes["worse"], votes["tie"]) < 0


def read_choices(path: Path) -> dict[str, dict[str, str]]:
    """Return pair key → rater → what was said last of the pair. Raises: DataError, as reading."""
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for label in read_labels(path, "pair"):
        said[label.pair_key][label.rater] = str(label.choice)
    return said


def drops_of(keys: Sequence[str]) -> list[Drop]:
    """Return a drop for each of these pairs."""
    return [Drop("judging", key, REASON) for key in keys]
