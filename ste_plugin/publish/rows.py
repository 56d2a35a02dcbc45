"""A run's rows as files for others: redacted, without what was forgotten, split by name."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ste_plugin.context import RunContext
from ste_plugin.errors import DataError
from ste_plugin.instructions.privacy.forgotten import forgotten_hash, read_forgotten
from ste_plugin.pairs.pool_files import HELD_OUT
from ste_plugin.publish.redact import Redactor
from ste_plugin.records import ResponsePair
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest
from ste_plugin.storage.jsonl import iter_records, read_json, read_rows, replace_rows

_HELD_OUT_PROMPTS = ("judge-dev", "judge-test")
"""Files of a data set that hold the held-out pairs once more, as prompts."""


@dataclass(slots=True)
class PublishedRows:
    """The files of a data set."""

    files: dict[str, Path] = field(default_factory=dict)
    """Path in the data set → file."""
    counts: dict[str, int] = field(default_factory=dict)
    """Path in the data set → its rows."""
    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Path in the data set → its first row."""
    forgotten: Counter[str] = field(default_factory=Counter)
    """Path in the data set → rows left out of it, as their instruction was forgotten."""

    def splits(self) -> dict[str, dict[str, list[str]]]:
        """Return subset (sft, pairs, …) → split → its files: what a data card's `configs` says."""
        found: dict[str, dict[str, list[str]]] = {}
        for name in self.files:
            subset, split = name.split("/")[0], Path(name).stem.split("-")[0]
            found.setdefault(subset, {}).setdefault(split, []).append(name)
        return found


def write_data(context: RunContext, number: int, folder: Path, redact: Redactor) -> PublishedRows:
    """Write what a judge was trained and measured on into a folder.

    Of a judge that goes on from the one before, that is what all of them were trained on.
    Raises: DataError where there is no data set, or one has changed since it was written.
    """
    manifests = list(_manifests(context, number))
    forgotten = {entry.hash for entry in read_forgotten(context.folder.root)}
    owners, rows = _owners(context.folder.pool), PublishedRows()
    for place, manifest in manifests:
        several = f"-{place}" if len(manifests) > 1 else ""
        for name in sorted(manifest.content["files"], reverse=True):  # train before dev
            if name in _HELD_OUT_PROMPTS or not manifest.count(name):
                continue
            manifest.verify(name)
            kind, split = name.rsplit("-", 1)
            target = f"{kind}/{split}{several}.jsonl"
            source = (row for _, row in manifest.rows(name))
            kept = _kept(source, forgotten, rows, target, owners)
            _write(rows, target, folder, kept, redact)
    for name in HELD_OUT:
        if path := _held_out_file(context, str(name)):
            target = f"pairs/{name}.jsonl"
            source = (row for _, row in read_rows(path))
            kept = _kept(source, forgotten, rows, target, owners)
            _write(rows, target, folder, kept, redact)
    return rows


def _manifests(context: RunContext, number: int) -> Iterator[tuple[str, DatasetManifest]]:
    """Yield the data sets that went into a judge, each with a name for its place."""
    first = 1 if context.config.training.start_from == "previous" else number
    for iteration in range(first, number + 1):
        for stage in range(1, len(context.config.training.recipe) + 1):
            path = context.folder.iteration(iteration, stage) / "dataset" / "manifest.json"
            if not path.is_file():
                raise DataError(
                    f"{path}: no such file, so that iteration {iteration} has no data set to "
                    "publish. Leave data out of --what, or generate it: `ste generate`."
                )
            yield f"{iteration:02d}-{stage:02d}", read_manifest(path)


def _kept(
    source: Iterator[dict[str, Any]],
    forgotten: set[str],
    rows: PublishedRows,
    target: str,
    owners: dict[str, str],
) -> Iterator[dict[str, Any]]:
    """Yield rows whose instruction was not forgotten; `ste forget` has taken them out already."""
    for row in source:
        instruction = row.get("instruction") or owners.get(str(row.get("id")), "")
        if forgotten and forgotten_hash(str(instruction)) in forgotten:
            rows.forgotten[target] += 1
        else:
            yield row


def _write(
    rows: PublishedRows,
    target: str,
    folder: Path,
    source: Iterator[dict[str, Any]],
    redact: Redactor,
) -> None:
    def counted() -> Iterator[dict[str, Any]]:
        for row in source:
            written = redact.value(row, of_data=True)
            rows.first.setdefault(target, written)
            rows.counts[target] = rows.counts.get(target, 0) + 1
            yield written

    replace_rows(folder / target, counted())
    if rows.counts.get(target):
        rows.files[target] = folder / target


def _owners(pool: Path) -> dict[str, str]:
    """Return key of a pair → key of its instruction."""
    path = pool / "pairs.jsonl"
    if not path.is_file():
        return {}
    return {pair.key: pair.instruction_key for pair in iter_records(path, ResponsePair)}


def _held_out_file(context: RunContext, name: str) -> Path | None:
    done = context.folder.pool / "done.json"
    files = read_json(done).get("files", {}) if done.is_file() else {}
    return context.folder.pool / files[name] if name in files else None
