"""Files of instructions, and what is read of them."""

import json
from pathlib import Path
from typing import Any

from ste_plugin.config import SourceConfig
from ste_plugin.instructions.sources import READERS, read_instructions
from ste_plugin.records import Drop, Instruction


def written(folder: Path, *lines: Any, name: str = "a.jsonl") -> Path:
    """Write a file of lines: bytes as they are, anything else as JSON."""
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path = folder / name
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def read(
    base: Path, *sources: dict[str, Any], **settings: Any
) -> tuple[list[Instruction], list[Drop]]:
    given = sources or ({"path": "a.jsonl", **settings},)
    return read_instructions([SourceConfig(**s) for s in given], base, READERS.__getitem__)


def texts(base: Path, **settings: Any) -> list[str]:
    return [i.text for i in read(base, **settings)[0]]


def reasons(base: Path, **settings: Any) -> list[str]:
    return [d.reason for d in read(base, **settings)[1]]
