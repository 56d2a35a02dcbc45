"""Files of rows in pieces, plain and packed."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest


def _zstd(content: bytes) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    packed = arrow.compress(content, "zstd", asbytes=True)
    assert isinstance(packed, bytes)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": partial(gzip.compress, mtime=0),
    ".zst": _zstd,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
"""Ending of the name → how a file of such a name is packed."""


def json_lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def csv_lines(*rows: dict[str, str]) -> bytes:
    """One column, in quotes, so that a text may have commas and line breaks."""
    quoted = ('"' + row["instruction"].replace('"', '""') + '"' for row in rows)
    return "\n".join(["instruction", *quoted, ""]).encode()


def numbered(start: int, end: int) -> list[dict[str, str]]:
    """Rows of the instructions q0, q1, …"""
    return [{"instruction": f"q{n}"} for n in range(start, end)]


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files by name; folders around them are made."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def in_pieces(rows: Sequence[Any], cuts: Sequence[int]) -> list[Sequence[Any]]:
    """Cut a list at these places, which may be equal."""
    places = [0, *sorted(cuts), len(rows)]
    return [rows[start:end] for start, end in pairwise(places)]
