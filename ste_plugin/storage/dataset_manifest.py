"""A data set's manifest: which rows there are for which training, and whether they are still whole."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress, pairwise
from pathlib import Path
from typing import Any, BinaryIO

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.storage.durable import move
from ste_plugin.storage.jsonl import encode_row, open_new_file, read_json, read_rows

ROW_FORMAT_OF_RL = {
    None: "sft",
    "dpo": "dpo", "ipo": "dpo", "orpo": "dpo", "simpo": "dpo",
    "kto": "kto",
    "grpo": "grpo",
}  # fmt: skip
"""axolotl's `rl:` → the row format that it trains on."""

_PIECE = 1 << 20
_AGAIN = "Delete the manifest and run `ste generate` again."


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """What `dataset/manifest.json` says."""

    path: Path
    content: dict[str, Any]

    @property
    def judge_format(self) -> dict[str, str]:
        """Name and version of the format that every prompt is in."""
        found: dict[str, str] = self.content["judge_format"]
        return found

    def count(self, name: str) -> int:
        """Return how many rows a file has; 0 where there is no such file."""
        return int(self.content["files"].get(name, {}).get("rows", 0))

    def training_files(self, rows: str) -> list[str]:
        """Return the names of the files of one row format: for training, and held out if there are any."""
        dev = f"{rows}-dev"
        return [f"{rows}-train", *([dev] if self.count(dev) else [])]

    def sha256(self, *names: str) -> dict[str, str]:
        """Return name → hash of those files that have rows."""
        return {n: self.content["files"][n]["sha256"] for n in names if self.count(n)}

    def file(self, name: str) -> Path:
        """Return a file that has rows, absolute: axolotl takes other paths for names on the hub.

        Raises: DataError where the manifest names no such file, or it has no rows.
        """
        files = self.content["files"]
        if name not in files:
            raise DataError(
                f"{self.path}: no {name!r} rows; it has {', '.join(files)}. Add "
                f"{name.partition('-')[0]} to dataset.formats and generate the data set again, or "
                "choose a recipe that trains on what is there."
            )
        if not self.count(name):
            raise DataError(f"{self.path}: {name!r} has no row; see `drops` there for why.")
        return Path(self.path.parent / files[name]["path"]).resolve()

    def rows(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (place for messages, row) of a file.

        Raises: DataError where the file is missing or malformed.
        """
        path = self.file(name)
        for number, row in read_rows(path):
            yield f"{path}:{number}", row

    def verify(self, *names: str) -> None:
        """Return if these files are those that the manifest was written for.

        Raises: DataError naming the file that is missing or changed.
        """
        for name in names:
            path = self.file(name)
            if not path.is_file():
                raise DataError(f"{path}: no such file, though {self.path} names it. {_AGAIN}")
            found = _sha256(path)
            expected = self.content["files"][name]["sha256"]
            if found != expected:
                raise DataError(
                    f"{path}: changed since {self.path.name} was written (SHA-256 {found[:12]}, "
                    f"expected {expected[:12]}). {_AGAIN}"
                )


class RowFile:
    """A file of rows while it is written; none is held."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.rows = file, 0
        self._ends = array("q", [0])

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write these rows."""
        content = b"".join(map(encode_row, rows))
        self._file.write(content)
        self.rows += content.count(b"\n")
        self._ends.append(self._ends[-1] + len(content))

    def keep(self, wanted: Iterable[bool]) -> None:
        """Leave of all rows only those that some calls of `add` wrote, in their order."""
        stay = bytes(wanted)
        if all(stay):
            return
        self._file.flush()
        self._file.seek(0)  # what is kept moves towards the start, behind what is still to be read
        self.rows = 0
        with Path(self._file.name).open("rb") as before:
            for start, end in _joined(compress(pairwise(self._ends), stay)):
                before.seek(start)
                content = before.read(end - start)
                self._file.write(content)
                self.rows += content.count(b"\n")
        self._file.truncate()

    def sha256(self) -> str:
        """Return the hash of what was written."""
        self._file.flush()
        return _sha256(Path(self._file.name))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield places of a file, those joined that follow each other, up to some size."""
    start = end = 0
    for begins, ends in places:
        if begins != end or ends - start > _PIECE:
            yield start, end
            start = begins
        end = ends
    yield start, end


@contextmanager
def open_row_file(folder: Path, name: str, entries: dict[str, Any]) -> Iterator[RowFile]:
    """Open a file of rows; at the end it is named by its content and `entries` gets its entry.

    axolotl's cache knows files by name only.
    """
    unnamed = folder / f".{name}.jsonl.new"
    with open_new_file(unnamed) as file:
        rows = RowFile(file)
        yield rows
        sha256 = rows.sha256()
    path = move(unnamed, folder / f"{name}-{sha256[:12]}.jsonl")
    entries[name] = {"path": path.name, "sha256": sha256, "rows": rows.rows}


def write_rows(folder: Path, name: str, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the entry of a file that holds these rows, written now."""
    entries: dict[str, Any] = {}
    with open_row_file(folder, name, entries) as file:
        for row in rows:  # none is held
            file.add((row,))
    return dict(entries[name])


def read_manifest(path: Path) -> DatasetManifest:
    """Return a data set's manifest.

    Raises: DataError where the file is missing or is no manifest of a data set.
    """
    if path.is_dir():
        path = path / "manifest.json"
    content = read_json(path)
    if not isinstance(content, dict) or not {"files", "judge_format"} <= content.keys():
        raise DataError(
            f"{path}: not the manifest of a data set. Expected what `ste generate` writes, as "
            "runs/NAME/iter-01/dataset/manifest.json."
        )
    return DatasetManifest(path.resolve(), content)


def row_format_of_rl(rl: str | None, where: str = "") -> str:
    """Return the row format that a config with this `rl:` trains on; `where` precedes an error.

    Raises: ConfigError where no rows are made for it.
    """
    if rl not in ROW_FORMAT_OF_RL:
        there_are = ", ".join(str(name) for name in ROW_FORMAT_OF_RL if name)
        raise ConfigError(
            f"{where}rl: {rl} needs rows that are not made here. Leave `rl` out to train on judgments, or "
            f"use one of {there_are}."
        )
    return ROW_FORMAT_OF_RL[rl]
