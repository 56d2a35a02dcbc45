"""Forgetting instructions, in an order that an interruption cannot spoil.

First the list of what is forgotten, with the models that saw it; then what was made last, up to what was
made first; the pool's instructions and pairs, by which everything else is found, at the very end. So the
same command, started again, finds what is left and ends the work.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ste_plugin.context import RunContext
from ste_plugin.forget.cutting import JsonlEditor, Row
from ste_plugin.forget.datasets import drop_counts, mend_datasets, trained_on
from ste_plugin.forget.evaluations import mend_evaluations
from ste_plugin.forget.leftovers import ResidueScanner, clear_logs, clear_scraps, still_quoting
from ste_plugin.forget.prompts import prompts_of
from ste_plugin.forget.reports import mend_reports
from ste_plugin.forget.wanted import ForgetQuery, Selection, doomed, files_named, keys_in
from ste_plugin.instructions.privacy.forgotten import (
    ForgottenInstruction,
    append_forgotten,
    forgotten_hash,
    read_forgotten,
)
from ste_plugin.pairs.pool import split_of
from ste_plugin.records import Instruction, ResponsePair
from ste_plugin.storage.jsonl import read_json, read_records


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What was forgotten, or would be."""

    keys: list[str]
    """Of the instructions."""
    by_answers: list[str]
    """Those of them whose own text did not match, but what was written or judged of them did."""
    removed: dict[str, int]
    """What → how many were taken out now."""
    models: list[str]
    """Folders of models trained on them, relative to the run."""
    sources: list[str]
    """Places in the user's own files that still hold them."""
    unread: list[str]
    """Sources that were not looked into, and why."""
    quoted: list[str]
    """Files of the run that still quote them."""


def forget(context: RunContext, wanted: ForgetQuery, *, dry: bool = False) -> ForgetReport:
    """Return what was taken out of a run, its list of forgotten instructions extended.

    Doing it again finishes what was interrupted, and else changes nothing.
    """
    root, scissors = context.folder.root, JsonlEditor(dry)
    gone = doomed(context, wanted)
    prompts = prompts_of(context, gone)
    models = _remember(root, gone, scissors)
    needles = ResidueScanner(wanted, gone)
    if gone.instructions or wanted.pattern:
        _cut(context, gone, wanted, prompts, scissors)
        clear_logs(root, needles, scissors)
        clear_scraps(root, scissors)
    _cut_pool(root, gone, scissors)
    quoted = [] if dry else still_quoting(root, needles)
    return ForgetReport(
        keys=sorted(gone.instructions),
        by_answers=sorted(gone.by_answers),
        removed={kind: n for kind, n in scissors.counts.items() if n},
        models=models,
        sources=sorted({place for key in gone.sources for place in gone.sources[key]}),
        unread=gone.unread,
        quoted=[str(path.relative_to(root)) for path in quoted],
    )


def _remember(root: Path, gone: Selection, scissors: JsonlEditor) -> list[str]:
    """Return the models that saw what goes, earlier entries of the list included."""
    seen, before = trained_on(root, gone), {entry.hash: entry for entry in read_forgotten(root)}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = [
        ForgottenInstruction(
            forgotten_hash(key), at, tuple(m for m, keys in seen.items() if key in keys)
        )
        for key in sorted(gone.instructions)
        if forgotten_hash(key) not in before
    ]
    if fresh and not scissors.dry:
        append_forgotten(root, fresh)
    known = [before[h] for key in gone.instructions if (h := forgotten_hash(key)) in before]
    return sorted({model for entry in [*known, *fresh] for model in entry.models} | seen.keys())


def _cut(
    context: RunContext,
    gone: Selection,
    wanted: ForgetQuery,
    prompts: set[str],
    scissors: JsonlEditor,
) -> None:
    """Take out what was made of the pool, and the pool's own files but for those that tell what goes."""
    root = context.folder.root

    def completed(row: Row) -> bool:
        return str(row["key"]).rpartition("-")[0] in prompts or wanted.matches(str(row["text"]))

    def derived(row: Row) -> bool:
        return any(
            key in prompts or gone.names(key)
            for value in row.values()
            if isinstance(value, str)
            for key in keys_in(value)
        )

    mend_datasets(root, gone, scissors)
    held_out = _mend_held_out(context, gone, scissors)
    mend_evaluations(root, gone, wanted, scissors, held_out)
    for path in files_named(root, "*.completions.jsonl"):
        scissors.cut(path, "completions", completed)
    for name in ("judgments", "pass_rates", "drops"):
        for path in files_named(root, f"{name}.jsonl"):
            scissors.cut(path, name.replace("_", " "), derived)
    _mend_drop_counts(root, scissors)
    mend_reports(root, scissors)


def _mend_held_out(context: RunContext, gone: Selection, scissors: JsonlEditor) -> dict[str, Path]:
    """Return name of the held-out pairs → their file, in the pool as it is now."""
    for done in files_named(context.folder.root, "done.json"):
        told = read_json(done)
        if "files" not in told:
            continue
        old = []
        for name, file in told["files"].items():
            fresh, _, _, cut = scissors.recut(
                done.parent / file, lambda row: row["id"] in gone.pairs
            )
            if cut:
                told["files"][name] = fresh.name
                old.append(done.parent / file)
        _recount_pool(context, done.parent, told, gone)
        if told != read_json(done):
            scissors.json(done, told)
        for path in [*old, *_strays(done.parent, told["files"].values())]:
            scissors.remove(path)
    pool = context.folder.pool
    files = read_json(pool / "done.json")["files"] if (pool / "done.json").exists() else {}
    return {name: pool / file for name, file in files.items()}


def _strays(pool: Path, known: Any) -> list[Path]:
    """Return held-out files that an interrupted forgetting has left."""
    files = [path for name in ("dev", "test") for path in pool.glob(f"{name}-*.jsonl")]
    return [path for path in files if path.name not in set(known)]


def _recount_pool(context: RunContext, pool: Path, told: dict[str, Any], gone: Selection) -> None:
    pairs = [p for p in read_records(pool / "pairs.jsonl", ResponsePair) if p.key not in gone.pairs]
    splits = [split_of(pair.instruction_key, context.config) for pair in pairs]
    told["pairs"] = {name: splits.count(name) for name in ("train", "dev", "test")}
    path = pool / "instructions.jsonl"
    keys = [row.key for row in read_records(path, Instruction)] if path.exists() else []
    told["instructions"] = sum(key not in gone.instructions for key in keys)


def _mend_drop_counts(root: Path, scissors: JsonlEditor) -> None:
    """Bring the counts of reasons in the pool's and the data sets' manifests to the drops that are left."""
    pool = root / "pool"
    for place in (pool / "done.json", *files_named(root, "manifest.json")):
        if scissors.dry or not place.exists():
            continue
        told = read_json(place)
        files = [pool / "drops.jsonl"]
        if place.parent != pool:
            files.append(place.parent.parent / "drops.jsonl")
            if "counts" in told and (pool / "done.json").exists():
                told["counts"]["pairs"] = read_json(pool / "done.json")["pairs"]
        drops = drop_counts(files)
        if "drops" in told and told != read_json(place) | {"drops": drops}:
            scissors.json(place, told | {"drops": drops})


def _cut_pool(root: Path, gone: Selection, scissors: JsonlEditor) -> None:
    """Take the instructions and pairs out of the pool: the last thing to do."""
    for path in files_named(root, "instructions.jsonl"):
        scissors.cut(path, "instructions", lambda row: row["key"] in gone.instructions)
    for path in files_named(root, "pairs.jsonl"):
        scissors.cut(path, "pairs", lambda row: row["key"] in gone.pairs)
