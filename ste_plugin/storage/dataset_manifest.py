"""A data set's manifest: its files of rows per training method, and whether they are unchanged."""

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

ROW_FORMAT_OF_RL: dict[str | None, str] = {
    None: "sft",
    **dict.fromkeys(("dpo", "ipo", "orpo", "simpo"), "dpo"),
    "kto": "kto",
    "grpo": "grpo",
}
"""axolotl's `rl:` → the row format that it trains on."""

IMPORTED = "imported"
"""Version of the judge format of prompts that others wrote: only its way to read replies counts."""

_MAX_CHUNK = 1 << 20  # bytes
_HOW_TO_REBUILD = "Delete the manifest and run `ste generate` again."


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """The content of `dataset/manifest.json`."""

    path: Path
    content: dict[str, Any]

    @property
    def judge_format(self) -> dict[str, Any]:
        """Name and version of the format that the judge is asked and measured in.

        With `pointwise` where it rates each answer alone.

        Rows of another one (`dataset.verdict_share`) say so in their column `judge_format`.
        """
        judge_format: dict[str, Any] = self.content["judge_format"]
        return judge_format

    @property
    def chat_template_kwargs(self) -> dict[str, Any]:
        """What the judge's chat template is given beside the turns, asked as well as trained."""
        return dict(self.content.get("chat_template", {}).get("kwargs") or {})

    @property
    def thinking_marks(self) -> tuple[str, str] | None:
        """What opens and closes the judge's thoughts, where the run's config says so."""
        marks = self.content.get("chat_template", {}).get("thinking")
        return (marks["open"], marks["close"]) if marks else None

    def count(self, name: str) -> int:
        """Return how many rows a file has; 0 where there is no such file."""
        return int(self.content["files"].get(name, {}).get("rows", 0))

    def training_files(self, rows: str) -> list[str]:
        """Return the names of one row format's files: training rows, and held-out rows if any."""
        dev = f"{rows}-dev"
        return [f"{rows}-train", *([dev] if self.count(dev) else [])]

    def sha256(self, *names: str) -> dict[str, str]:
        """Return name → hash of those files that have rows."""
        return {n: self.content["files"][n]["sha256"] for n in names if self.count(n)}

    def file(self, name: str) -> Path:
        """Return the path of a file that has rows, absolute as axolotl takes others for hub names.

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
        """Yield (location for messages, row) of a file.

        Raises: DataError where the file is missing or malformed.
        """
        path = self.file(name)
        for number, row in read_rows(path):
            yield f"{path}:{number}", row

    def verify(self, *names: str) -> None:
        """Check that these files are the ones that the manifest was written for.

        Raises: DataError naming a file that is missing or changed.
        """
        for name in names:
            path = self.file(name)
            if not path.is_file():
                raise DataError(
                    f"{path}: no such file, though {self.path} names it. {_HOW_TO_REBUILD}"
                )
            digest = _sha256(path)
            expected = self.content["files"][name]["sha256"]
            if digest != expected:
                raise DataError(
                    f"{path}: changed since {self.path.name} was written (SHA-256 {digest[:12]}, "
                    f"expected {expected[:12]}). {_HOW_TO_REBUILD}"
                )


class RowFile:
    """A file of rows that is being written; no row is held."""

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
        """Keep only the rows of some calls of `add`; `wanted` has one value per call, in order."""
        kept = bytes(wanted)
        if all(kept):
            return
        self._file.flush()
        self._file.seek(0)  # rows move towards the start, so that none is overwritten unread
        self.rows = 0
        with Path(self._file.name).open("rb") as source:
            for start, end in _joined(compress(pairwise(self._ends), kept)):
                source.seek(start)
                content = source.read(end - start)
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


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the spans of a file, adjacent ones joined up to `_MAX_CHUNK`."""
    start = end = 0
    for next_start, next_end in spans:
        if next_start != end or next_end - start > _MAX_CHUNK:
            yield start, end
            start = next_start
        end = next_end
    yield start, end


@contextmanager
def open_row_file(folder: Path, name: str, entries: dict[str, Any]) -> Iterator[RowFile]:
    """Open a file of rows; at the end it is named by its hash, and its entry added to `entries`.

    The name changes with the content because axolotl's cache goes by names alone.
    """
    temporary = folder / f".{name}.jsonl.new"
    with open_new_file(temporary) as file:
        rows = RowFile(file)
        yield rows
        sha256 = rows.sha256()
    path = move(temporary, folder / f"{name}-{sha256[:12]}.jsonl")
    entries[name] = {"path": path.name, "sha256": sha256, "rows": rows.rows}


def write_rows(folder: Path, name: str, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Write a file of these rows; return its entry in a manifest."""
    entries: dict[str, Any] = {}
    with open_row_file(folder, name, entries) as file:
        for row in rows:  # none is held
            file.add((row,))
    return dict(entries[name])


def read_manifest(path: Path) -> DatasetManifest:
    """Return a data set's manifest.

    Raises: DataError where the file is missing or is not the manifest of a data set.
    """
    if path.is_dir():
        path = path / "manifest.json"
    content = read_json(path)
    if not isinstance(content, dict) or not {"files", "judge_format"} <= content.keys():
        raise DataError(
            f"{path}: not the manifest of a data set. Expected what `ste generate` writes, such as "
            "runs/NAME/iter-01/dataset/manifest.json."
        )
    return DatasetManifest(path.resolve(), content)


def row_format_of_rl(rl: str | None, where: str = "") -> str:
    """Return the row format that a config with this `rl:` trains on; `where` begins the error.

    Raises: ConfigError where no rows are made for it.
    """
    if rl not in ROW_FORMAT_OF_RL:
        known = ", ".join(str(name) for name in ROW_FORMAT_OF_RL if name)
        raise ConfigError(
            f"{where}rl: {rl} needs rows that are not made here. Leave `rl` out to train on "
            f"judgments, or use one of {known}."
        )
    return ROW_FORMAT_OF_RL[rl]
