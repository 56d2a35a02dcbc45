"""What was forgotten: a list of hashes that keeps instructions from coming back when sources are read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ste_plugin.records import Drop, Instruction, Record, content_key
from ste_plugin.storage.jsonl import appending, read_records, record_line

NAME = "forgotten.jsonl"


class Forgotten(Record, frozen=True):
    """One instruction that a run has forgotten."""

    hash: str
    """Of the instruction's key, which is itself a hash of its text."""
    at: str
    """When, in UTC."""
    models: tuple[str, ...]
    """Folders of the models that had been trained on it, relative to the run."""


def hash_of(key: str) -> str:
    """Return what the list knows an instruction by: its key appears nowhere any more."""
    return content_key("forgotten", key)


def forgotten(root: Path) -> list[Forgotten]:
    """Return what a run has forgotten, oldest first."""
    path = root / NAME
    return read_records(path, Forgotten) if path.exists() else []


def append_forgotten(root: Path, entries: Iterable[Forgotten]) -> None:
    """Add to the list of what a run has forgotten."""
    with appending(root / NAME) as file:
        file.writelines(map(record_line, entries))


def without_forgotten(
    instructions: Sequence[Instruction], root: Path
) -> tuple[list[Instruction], list[Drop]]:
    """Return the instructions that a run has not forgotten, and a Drop for each of the others.

    A Drop names the hash alone.
    """
    known = {entry.hash for entry in forgotten(root)}
    kept = [i for i in instructions if hash_of(i.key) not in known]
    gone = [hash_of(i.key) for i in instructions if hash_of(i.key) in known]
    return kept, [Drop("sources", hash, "forgotten") for hash in gone]
