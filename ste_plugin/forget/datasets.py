"""Data sets without the rows of the selected instructions: files, hashes, counts, and who trained
on them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ste_plugin.forget.editor import JsonlEditor, Row
from ste_plugin.forget.selection import Selection, files_named
from ste_plugin.records import Drop, Judgment
from ste_plugin.sampling.pass_rates import PassRate, mean_rate
from ste_plugin.storage.jsonl import iter_records, read_json, read_rows
from ste_plugin.storage.training_manifest import NAME as TRAINED


def update_datasets(root: Path, selection: Selection, editor: JsonlEditor) -> None:
    """Remove the rows from every data set of a run, and bring its manifest up to date."""
    for manifest in files_named(root, "manifest.json"):
        content = read_json(manifest)
        iteration = manifest.parent.parent
        old, removed = _rewrite_files(manifest.parent, content["files"], selection, editor)
        examples = _examples(iteration)
        removed_examples = {example for example in examples if example[0] in selection.pairs}
        if (old or removed_examples) and "counts" in content:
            if sum(content["counts"].get("kept", {}).values()) == len(examples - removed_examples):
                removed_examples = (
                    set()
                )  # an interrupted run of the command has counted them already
            _recount(iteration, content, removed_examples, removed.get("judge-dev", []), selection)
        if content != read_json(manifest):
            editor.json(manifest, content)
        for path in old:
            editor.remove(path)
    for folder in {p.parent for p in root.rglob("dataset/*.jsonl")}:
        _remove_strays(folder, selection, editor)


def comes_from(selection: Selection, row: Mapping[str, Any]) -> bool:
    """Return whether a row of a data set was made from a selected instruction or pair."""
    return row.get("instruction") in selection.instructions or row.get("pair") in selection.pairs


def _rewrite_files(
    folder: Path, files: dict[str, Any], selection: Selection, editor: JsonlEditor
) -> tuple[list[Path], dict[str, list[Row]]]:
    """Return the files that were replaced, and the removed rows by name; `files` is given the new
    names."""
    old, removed = [], {}
    for name, entry in files.items():
        path = folder / entry["path"]
        if not path.is_file():
            continue
        fresh, sha256, rows, removed_rows = editor.rewrite_without(
            path, lambda row: comes_from(selection, row)
        )
        if removed_rows:
            files[name] = {**entry, "path": fresh.name, "sha256": sha256, "rows": rows}
            old.append(path)
            removed[name] = removed_rows
            editor.counts["data set rows"] += len(removed_rows)
    return old, removed


def _remove_strays(folder: Path, selection: Selection, editor: JsonlEditor) -> None:
    """Remove files of rows that no manifest names: left by an interrupted writer or an older data
    set."""
    manifest = folder / "manifest.json"
    files = read_json(manifest)["files"].values() if manifest.exists() else []
    known = {entry["path"] for entry in files}
    for path in folder.glob("*.jsonl"):
        if path.name not in known and any(comes_from(selection, row) for _, row in read_rows(path)):
            editor.remove(path)


def _recount(
    iteration: Path,
    content: dict[str, Any],
    removed_examples: set[tuple[str, str]],
    dev: Iterable[Row],
    selection: Selection,
) -> None:
    """Update a manifest's counts to what is left; costs stay as they were paid.

    `removed_examples`: pair and letter of each; `dev`: the held-out rows removed with them.
    """
    counts, held_out = content["counts"], {row["pair"] for row in dev}
    for split in counts.get("kept", {}):
        examples = {e for e in removed_examples if (e[0] in held_out) == (split == "dev")}
        counts["kept"][split] -= len(examples)
        _subtract(counts["letters"][split], Counter(letter for _, letter in examples))
        strategies = Counter(
            selection.pairs[p].strategy for p, _ in examples if p in selection.pairs
        )
        _subtract(counts["strategies"][split], strategies)
    left = [
        j
        for j in _records(iteration / "judgments.jsonl", Judgment)
        if j.pair_key not in selection.pairs
    ]
    if left:
        counts["judgments"] = len(left)
        counts["forced"] = sum(j.forced for j in left)
        counts["without_verdict"] = sum(j.verdict is None for j in left)
        counts["correct"] = sum(j.correct for j in left)
    if rates := _records(iteration / "pass_rates.jsonl", PassRate):
        counts["pass_rate"] = mean_rate(r for r in rates if r.pair_key not in selection.pairs)


def _examples(iteration: Path) -> set[tuple[str, str]]:
    """Return pair and letter of all examples of a data set, whatever rows were made of them.

    Those are all that was judged but for what was dropped; drops among the rows of one format are
    of that alone.
    """
    judged = {(r.pair_key, r.gold) for r in _records(iteration / "pass_rates.jsonl", PassRate)}
    dropped = {
        (d.key[:-2], d.key[-1])
        for d in _records(iteration / "drops.jsonl", Drop)
        if d.stage == "dataset" and not d.reason.endswith(" rows")
    }
    return judged - dropped


def _subtract(counts: dict[str, int], removed: Mapping[str, int]) -> None:
    for name, number in removed.items():
        counts[name] = counts.get(name, 0) - number


def _records(path: Path, kind: Any) -> list[Any]:
    return list(iter_records(path, kind)) if path.exists() else []


def trained_on(root: Path, selection: Selection) -> dict[str, set[str]]:
    """Return folder of a model, relative to the run → the instructions that its weights have seen.

    A model trained from another one has seen what that one saw.
    """
    files = {path.stem.rpartition("-")[2]: path for path in root.rglob("dataset/*-*.jsonl")}
    done = {path.parent: read_json(path) for path in files_named(root, TRAINED)}
    seen: dict[Path, set[str]] = {folder: set() for folder in done}
    for folder, manifest in done.items():
        for sha256 in manifest.get("data_sha256", {}).values():
            if path := files.get(sha256[:12]):
                selected = (row for _, row in read_rows(path) if comes_from(selection, row))
                seen[folder] |= {
                    selection.owners.get(r["pair"], r["instruction"]) for r in selected
                }
    for _ in done:  # a chain of models trained from each other is at most this long
        for folder, manifest in done.items():
            for other in done:
                if Path(manifest.get("base_model") or "").is_relative_to(other):
                    seen[folder] |= seen[other]
    return {str(f.relative_to(root)): keys for f, keys in sorted(seen.items()) if keys}


def drop_counts(paths: list[Path]) -> dict[str, int]:
    """Return the reasons in files of drops, counted as in manifests."""
    drops = [drop for path in paths for drop in _records(path, Drop)]
    return dict(Counter(f"{d.stage}: {d.reason}" for d in drops))
