"""Forgetting instructions, in an order that an interruption cannot break.

First the list of what is forgotten is written, with the models that saw it; then derived files are
updated, the latest first; the pool's instructions and pairs, by which everything else is found,
come last.
So the same command, started again, finds what is left and finishes the work.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ste_plugin.context import RunContext
from ste_plugin.forget.datasets import drop_counts, trained_on, update_datasets
from ste_plugin.forget.editor import JsonlEditor, Row
from ste_plugin.forget.evaluations import update_evaluations
from ste_plugin.forget.prompt_keys import prompt_keys_of
from ste_plugin.forget.query import ForgetQuery
from ste_plugin.forget.reports import update_reports
from ste_plugin.forget.residue import (
    ResidueScanner,
    files_quoting,
    remove_log_lines,
    remove_partial_files,
)
from ste_plugin.forget.selection import Selection, files_named, keys_in, select_instructions
from ste_plugin.instructions.privacy.forgotten import (
    ForgottenInstruction,
    append_forgotten,
    forgotten_hash,
    read_forgotten,
)
from ste_plugin.pairs.pool_files import split_of
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


def forget(context: RunContext, query: ForgetQuery, *, dry: bool = False) -> ForgetReport:
    """Return what was removed from a run, its list of forgotten instructions extended.

    Running it again finishes what was interrupted, and otherwise changes nothing.
    """
    root, editor = context.folder.root, JsonlEditor(dry)
    selection = select_instructions(context, query)
    prompts = prompt_keys_of(context, selection)
    models = _record_forgotten(root, selection, editor)
    scanner = ResidueScanner(query, selection)
    if selection.instructions or query.pattern:
        _remove_derived(context, selection, query, prompts, editor)
        remove_log_lines(root, scanner, editor)
        remove_partial_files(root, editor)
    _remove_from_pool(root, selection, editor)
    quoted = [] if dry else files_quoting(root, scanner)
    return ForgetReport(
        keys=sorted(selection.instructions),
        by_answers=sorted(selection.by_answers),
        removed={kind: n for kind, n in editor.counts.items() if n},
        models=models,
        sources=sorted({place for key in selection.sources for place in selection.sources[key]}),
        unread=selection.unread,
        quoted=[str(path.relative_to(root)) for path in quoted],
    )


def _record_forgotten(root: Path, selection: Selection, editor: JsonlEditor) -> list[str]:
    """Return the models that saw what goes, earlier entries of the list included."""
    seen, before = (
        trained_on(root, selection),
        {entry.hash: entry for entry in read_forgotten(root)},
    )
    at = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = [
        ForgottenInstruction(
            forgotten_hash(key), at, tuple(m for m, keys in seen.items() if key in keys)
        )
        for key in sorted(selection.instructions)
        if forgotten_hash(key) not in before
    ]
    if fresh and not editor.dry:
        append_forgotten(root, fresh)
    known = [before[h] for key in selection.instructions if (h := forgotten_hash(key)) in before]
    return sorted({model for entry in [*known, *fresh] for model in entry.models} | seen.keys())


def _remove_derived(
    context: RunContext,
    selection: Selection,
    query: ForgetQuery,
    prompts: set[str],
    editor: JsonlEditor,
) -> None:
    """Remove what was derived from the selection; instructions and pairs, which identify it, stay
    for now."""
    root = context.folder.root

    def completed(row: Row) -> bool:
        return str(row["key"]).rpartition("-")[0] in prompts or query.matches(str(row["text"]))

    def derived(row: Row) -> bool:
        return any(
            key in prompts or selection.names(key)
            for value in row.values()
            if isinstance(value, str)
            for key in keys_in(value)
        )

    update_datasets(root, selection, editor)
    held_out = _update_held_out(context, selection, editor)
    update_evaluations(root, selection, query, editor, held_out)
    for path in files_named(root, "*.completions.jsonl"):
        editor.remove_rows(path, "completions", completed)
    for name in ("judgments", "pass_rates", "drops"):
        for path in files_named(root, f"{name}.jsonl"):
            editor.remove_rows(path, name.replace("_", " "), derived)
    _update_drop_counts(root, editor)
    update_reports(root, editor)


def _update_held_out(
    context: RunContext, selection: Selection, editor: JsonlEditor
) -> dict[str, Path]:
    """Return name of the held-out pairs → their file, in the pool as it is now."""
    for done in files_named(context.folder.root, "done.json"):
        content = read_json(done)
        if "files" not in content:
            continue
        old = []
        for name, file in content["files"].items():
            fresh, _, _, removed_rows = editor.rewrite_without(
                done.parent / file, lambda row: row["id"] in selection.pairs
            )
            if removed_rows:
                content["files"][name] = fresh.name
                old.append(done.parent / file)
        _recount_pool(context, done.parent, content, selection)
        if content != read_json(done):
            editor.json(done, content)
        for path in [*old, *_strays(done.parent, content["files"].values())]:
            editor.remove(path)
    pool = context.folder.pool
    files = read_json(pool / "done.json")["files"] if (pool / "done.json").exists() else {}
    return {name: pool / file for name, file in files.items()}


def _strays(pool: Path, known: Any) -> list[Path]:
    """Return held-out files that an interrupted run of the command has left."""
    files = [path for name in ("dev", "test") for path in pool.glob(f"{name}-*.jsonl")]
    return [path for path in files if path.name not in set(known)]


def _recount_pool(
    context: RunContext, pool: Path, content: dict[str, Any], selection: Selection
) -> None:
    pairs = [
        p for p in read_records(pool / "pairs.jsonl", ResponsePair) if p.key not in selection.pairs
    ]
    splits = [split_of(pair.instruction_key, context.config) for pair in pairs]
    content["pairs"] = {name: splits.count(name) for name in ("train", "dev", "test")}
    path = pool / "instructions.jsonl"
    keys = [row.key for row in read_records(path, Instruction)] if path.exists() else []
    content["instructions"] = sum(key not in selection.instructions for key in keys)


def _update_drop_counts(root: Path, editor: JsonlEditor) -> None:
    """Update the counts of reasons in the manifests of pool and data sets to the drops that are
    left."""
    pool = root / "pool"
    for place in (pool / "done.json", *files_named(root, "manifest.json")):
        if editor.dry or not place.exists():
            continue
        content = read_json(place)
        files = [pool / "drops.jsonl"]
        if place.parent != pool:
            files.append(place.parent.parent / "drops.jsonl")
            if "counts" in content and (pool / "done.json").exists():
                content["counts"]["pairs"] = read_json(pool / "done.json")["pairs"]
        drops = drop_counts(files)
        if "drops" in content and content != read_json(place) | {"drops": drops}:
            editor.json(place, content | {"drops": drops})


def _remove_from_pool(root: Path, selection: Selection, editor: JsonlEditor) -> None:
    """Remove the instructions and pairs from the pool: the last thing to do."""
    for path in files_named(root, "instructions.jsonl"):
        editor.remove_rows(path, "instructions", lambda row: row["key"] in selection.instructions)
    for path in files_named(root, "pairs.jsonl"):
        editor.remove_rows(path, "pairs", lambda row: row["key"] in selection.pairs)
