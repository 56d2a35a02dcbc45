"""Files of instructions, and what is read of them."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ste_plugin.config import SourceConfig
from ste_plugin.instructions.sources import READERS, read_instructions
from ste_plugin.records import Drop, Instruction
from ste_plugin.storage.drop_log import without_drops


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
    found = [*read_instructions([SourceConfig(**s) for s in given], base, READERS.__getitem__)]
    return split_drops(found)


def split_drops(
    items: Iterable[Instruction | Drop],
) -> tuple[list[Instruction], list[Drop]]:
    """Return the instructions and the drops of a stream of both."""
    drops: list[Drop] = []
    return [*without_drops(items, drops.append)], drops


def texts(base: Path, **settings: Any) -> list[str]:
    return [i.text for i in read(base, **settings)[0]]


def reasons(base: Path, **settings: Any) -> list[str]:
    return [d.reason for d in read(base, **settings)[1]]


Rows = Sequence[dict[str, Any]]


def write_jsonl(path: Path, rows: Rows) -> None:
    written(path.parent, *rows, name=path.name)


def write_csv(path: Path, rows: Rows) -> None:
    """Write rows of texts; None is an empty field."""
    if any(not isinstance(value, str | None) for row in rows for value in row.values()):
        raise ValueError("only texts can be told in CSV")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Rows) -> None:
    """Write rows as pyarrow does; raises ValueError or TypeError where a column's values differ."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(list(rows)), path)


def write_parquet_by_datasets(path: Path, rows: Rows) -> None:
    """Write rows as `datasets` does: as JSON where values, or the keys of structs, differ."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    options = {"on_mixed_types": "use_json"} if hasattr(datasets, "Json") else {}
    datasets.Dataset.from_list(list(rows), **options).to_parquet(path)


WRITERS: dict[str, tuple[str, Callable[[Path, Rows], None]]] = {
    "jsonl": ("a.jsonl", write_jsonl),
    "csv": ("a.csv", write_csv),
    "parquet": ("a.parquet", write_parquet),
    "parquet by datasets": ("a.parquet", write_parquet_by_datasets),
}
"""How the same rows can be kept: name of the file, and what writes it."""
