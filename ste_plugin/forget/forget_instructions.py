"""Forgetting instructions, in an order that allows an interrupted command to be run again.

First the list of what is forgotten is written, with the models that saw it; then derived files are
updated, the latest first; the pool's instructions and pairs, by which everything else is found,
come last. So the same command, run again, finds what is left and finishes the work.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ste_plugin.context import RunContext
from ste_plugin.forget.datasets import count_drops, find_models_trained_on, update_datasets
from ste_plugin.forget.editor import JsonlEditor, Row
from ste_plugin.forget.evaluations import update_evaluations
from ste_plugin.forget.gate_words import forget_gate_words
from ste_plugin.forget.prompt_keys import find_prompt_keys
from ste_plugin.forget.query import ForgetQuery
from ste_plugin.forget.reports import update_findings, update_page, update_reports
from ste_plugin.forget.residue import (
    ResidueScanner,
    find_files_quoting,
    remove_log_lines,
    remove_partial_files,
)
from ste_plugin.forget.selection import Selection, find_files, keys_in, select_instructions
from ste_plugin.instructions.privacy.forgotten import (
    ForgottenInstruction,
    append_forgotten,
    forgotten_hash,
    read_forgotten,
)
from ste_plugin.pairs.pool_files import HELD_OUT, SPLITS, split_of
from ste_plugin.records import Instruction, ResponsePair
from ste_plugin.storage.jsonl import read_json, read_records
from ste_plugin.storage.run_layout import OVERLAPS


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What was forgotten, or would be in a dry run."""

    keys: list[str]
    """Of the instructions."""
    by_answers: list[str]
    """Those of `keys` whose text did not match, but an answer or a judgment made from it did."""
    removed: dict[str, int]
    """Kind → how many were removed now."""
    models: list[str]
    """Folders of models trained on them, relative to the run."""
    sources: list[str]
    """Places in the user's own files that still hold them."""
    unread: list[str]
    """Sources that were not searched, and why."""
    quoted: list[str]
    """Files of the run that still quote them."""


def forget(context: RunContext, query: ForgetQuery, *, dry: bool = False) -> ForgetReport:
    """Remove instructions and all that was made from them from a run; extend its list of them.

    Running it again finishes what was interrupted, and otherwise changes nothing.
    """
    root, editor = context.folder.root, JsonlEditor(dry)
    selection = select_instructions(context, query)
    prompts = find_prompt_keys(context, selection)
    models = _record_forgotten(root, selection, editor)
    scanner = ResidueScanner(query, selection)
    if selection.instructions or query.pattern:
        _remove_derived(context, selection, query, prompts, editor)
        remove_log_lines(root, scanner, editor)
        remove_partial_files(root, editor)
    _remove_from_pool(root, selection, editor)
    if not dry:
        update_page(context)
    quoted = [] if dry else find_files_quoting(root, scanner)
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
    """Extend the list of what is forgotten; return the models that saw it, listed ones included."""
    seen = find_models_trained_on(root, selection)
    listed = {entry.hash: entry for entry in read_forgotten(root)}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entries, new = [], []
    for key in sorted(selection.instructions):
        entry = listed.get(forgotten_hash(key))
        if entry is None:
            models = tuple(model for model, keys in seen.items() if key in keys)
            entry = ForgottenInstruction(forgotten_hash(key), now, models)
            new.append(entry)
        entries.append(entry)
    if new and not editor.dry:
        append_forgotten(root, new)
    return sorted({model for entry in entries for model in entry.models} | seen.keys())


def _remove_derived(
    context: RunContext,
    selection: Selection,
    query: ForgetQuery,
    prompts: set[str],
    editor: JsonlEditor,
) -> None:
    """Remove what was derived from the selection.

    Instructions and pairs, by which everything else is found, stay for now.
    """
    root = context.folder.root

    def is_completion(row: Row) -> bool:
        return str(row["key"]).rpartition("-")[0] in prompts or query.matches(str(row["text"]))

    def is_derived(row: Row) -> bool:
        return any(
            key in prompts or selection.names(key)
            for value in row.values()
            if isinstance(value, str)
            for key in keys_in(value)
        )

    update_datasets(root, selection, editor)
    held_out = _update_held_out(context, selection, editor)
    update_evaluations(root, selection, query, editor, held_out)
    for path in find_files(root, "*.completions.jsonl"):
        editor.remove_rows(path, "completions", is_completion)
    for name in ("judgments", "pass_rates", "drops"):
        for path in find_files(root, f"{name}.jsonl"):
            editor.remove_rows(path, name.replace("_", " "), is_derived)
    _update_drop_counts(root, editor)
    if selection.instructions:
        update_findings(root, editor)
        forget_gate_words(root, editor)
    update_reports(root, editor)


def _update_held_out(
    context: RunContext, selection: Selection, editor: JsonlEditor
) -> dict[str, Path]:
    """Return name of the held-out pairs → their file, in the pool as it is now."""
    for done in find_files(context.folder.root, "done.json"):
        content = read_json(done)
        if "files" in content:
            _update_pool(context, done, content, selection, editor)
    pool = context.folder.pool
    files = read_json(pool / "done.json")["files"] if (pool / "done.json").exists() else {}
    return {name: pool / file for name, file in files.items()}


def _update_pool(
    context: RunContext,
    done: Path,
    content: dict[str, Any],
    selection: Selection,
    editor: JsonlEditor,
) -> None:
    """Replace the held-out files of a pool, then its done.json; then old files are removed."""
    pool, old = done.parent, []
    for name, file in content["files"].items():
        rewritten = editor.rewrite_without(pool / file, lambda row: row["id"] in selection.pairs)
        if rewritten.removed:
            content["files"][name] = rewritten.path.name
            old.append(rewritten.replaced)
    _recount_pool(context, pool, content, selection)
    if content != read_json(done):
        editor.json(done, content)
    for path in [*old, *_unreferenced(pool, content["files"].values())]:
        editor.remove(path)


def _unreferenced(pool: Path, named: Collection[str]) -> list[Path]:
    """Return held-out files that an interrupted run of the command has left."""
    files = [path for name in HELD_OUT for path in pool.glob(f"{name}-*.jsonl")]
    return [path for path in files if path.name not in named]


def _recount_pool(
    context: RunContext, pool: Path, content: dict[str, Any], selection: Selection
) -> None:
    pairs = [
        p for p in read_records(pool / "pairs.jsonl", ResponsePair) if p.key not in selection.pairs
    ]
    splits = [split_of(pair.split_key, context.config) for pair in pairs]
    content["pairs"] = {name: splits.count(name) for name in SPLITS}
    path = pool / "instructions.jsonl"
    keys = [row.key for row in read_records(path, Instruction)] if path.exists() else []
    content["instructions"] = sum(key not in selection.instructions for key in keys)


def _update_drop_counts(root: Path, editor: JsonlEditor) -> None:
    """Update the counts of drops in the manifests of pool and data sets to those that are left."""
    pool = root / "pool"
    for path in (pool / "done.json", *find_files(root, "manifest.json")):
        if editor.dry or not path.exists():
            continue
        content = read_json(path)
        files = [pool / "drops.jsonl"]
        if path.parent != pool:
            files.append(path.parent.parent / "drops.jsonl")
            if "counts" in content and (pool / "done.json").exists():
                content["counts"]["pairs"] = read_json(pool / "done.json")["pairs"]
        drops = count_drops(files)
        if "drops" in content and content != read_json(path) | {"drops": drops}:
            editor.json(path, content | {"drops": drops})


def _remove_from_pool(root: Path, selection: Selection, editor: JsonlEditor) -> None:
    """Remove the instructions and pairs from the pool, which comes last."""
    for path in find_files(root, OVERLAPS):
        editor.remove_rows(path, "overlaps", lambda row: row["key"] in selection.instructions)
    for path in find_files(root, "instructions.jsonl"):
        editor.remove_rows(path, "instructions", lambda row: row["key"] in selection.instructions)
    for path in find_files(root, "pairs.jsonl"):
        editor.remove_rows(path, "pairs", lambda row: row["key"] in selection.pairs)
