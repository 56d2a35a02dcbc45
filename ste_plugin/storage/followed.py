"""A run's folder `follow/`: the checkpoints of policies that its judge was refreshed for."""

from pathlib import Path
from typing import Any

from ste_plugin.records import Record
from ste_plugin.storage.jsonl import read_derived_json, replace_json

FOLDER = "follow"


class Followed(Record, frozen=True):
    """One round: a checkpoint, the judge that was refreshed, and what came of it."""

    round: int
    """From 1."""
    run: str
    """Name of the folder of the round's own run, beside that of the run."""
    checkpoint: str
    """Its folder, or its name at a server."""
    identity: str
    """Changes with its weights; of a server it is the name alone."""
    judge: str
    """Which judge was refreshed, in words."""
    instructions: tuple[str, ...] = ()
    """Files of instructions that were given; none where they are the run's own."""
    limit: int | None = None
    """Most instructions, where that was given."""
    drift: dict[str, Any] | None = None
    """What moved, once the round is finished."""

    def folder(self, root: Path) -> Path:
        """Return the folder of the round's own run; `root` is that of the run."""
        return root.resolve().with_name(self.run)


def read_followed(root: Path) -> list[Followed]:
    """Return the rounds of a run, in order. Raises: DataError for a damaged file."""
    files = sorted((root / FOLDER).glob("*.json"))
    return sorted(
        (read_derived_json(path, Followed.from_dict) for path in files), key=lambda f: f.round
    )


def write_followed(root: Path, followed: Followed) -> None:
    """Write a round."""
    replace_json(path_of(root, followed.round), followed.to_dict())


def path_of(root: Path, number: int) -> Path:
    """Return the file of a round."""
    return root / FOLDER / f"{number:02d}.json"
