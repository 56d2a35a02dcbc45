"""A training that is done but for the merge of its adapter, as it lies beside the adapter.

It is written before the merge and removed behind it, so that a merge that fails, for want of memory
or of room on the disk, is done again without the training.
"""

from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.judging.calibration import Calibration
from ste_plugin.records import Record
from ste_plugin.storage.durable import sync, sync_folder
from ste_plugin.storage.jsonl import read_json, replace_json
from ste_plugin.storage.training_manifest import digest_files

NAME = "unmerged.json"


class Answers(Record, frozen=True):
    """What the trained model said right behind some prompts, as tokens and log-probabilities."""

    prompts: list[list[int]]
    watched: list[list[int]]
    """The choices where a verdict is due, else the likeliest tokens."""
    found: list[list[float]]


class Unmerged(Record, frozen=True):
    """What the merge and the judge's manifest need of a training."""

    trained: dict[str, Any]
    """What the training's manifest says of it."""
    answers: Answers
    calibration: Calibration | None
    processes: int
    """How many trained it, with a GPU each."""
    seal: dict[str, str]
    """Hashes of the adapter's files, as `digest_files` makes them."""


def keep_unmerged(output: Path, done: Unmerged) -> None:
    """Write down that a training is done, once its adapter is on the disk."""
    for path in filter(Path.is_file, output.iterdir()):
        with path.open("rb") as file:
            sync(file)
    sync_folder(output)
    replace_json(output / NAME, done.to_dict())


def read_unmerged(output: Path) -> Unmerged | None:
    """Return what is kept of the training in `output`; None where its adapter is not whole."""
    try:
        found = Unmerged.from_dict(read_json(output / NAME))
    except DataError:
        return None
    return found if found.seal.items() <= digest_files(output).items() else None
