"""The list of forgotten instructions, as hashes: it keeps them out when sources are read again."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ste_plugin.records import Drop, Instruction, Record, content_key
from ste_plugin.storage.jsonl import encode_record, open_for_append, read_records

NAME = "forgotten.jsonl"


class ForgottenInstruction(Record, frozen=True):
    """One instruction that a run has forgotten."""

    hash: str
    """Hash of the instruction's key, which is itself a hash of its text."""
    at: str
    """Time, in UTC."""
    models: tuple[str, ...]
    """Folders of the models that had been trained on it, relative to the run."""


def forgotten_hash(key: str) -> str:
    """Return the hash that stands for an instruction in the list; its key is no longer on disk."""
    return content_key("forgotten", key)


def read_forgotten(root: Path) -> list[ForgottenInstruction]:
    """Return the instructions that a run has forgotten, oldest first."""
    path = root / NAME
    return read_records(path, ForgottenInstruction) if path.exists() else []


def append_forgotten(root: Path, entries: Iterable[ForgottenInstruction]) -> None:
    """Add to the list of instructions that a run has forgotten."""
    with open_for_append(root / NAME) as file:
        file.writelines(map(encode_record, entries))


def drop_forgotten(instructions: Iterable[Instruction], root: Path) -> Iterator[Instruction | Drop]:
    """Yield the instructions that a run has not forgotten, then a Drop for each of the others.

    A Drop names the hash alone.
    """
    forgotten = {entry.hash for entry in read_forgotten(root)}
    found = []
    for instruction in instructions:
        if forgotten and (digest := forgotten_hash(instruction.key)) in forgotten:
            found.append(digest)
        else:
            yield instruction
    yield from (Drop("sources", digest, "forgotten") for digest in found)
