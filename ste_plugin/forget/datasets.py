"""Data sets without the rows of the selected instructions, and the models that trained on them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ste_plugin.forget.editor import JsonlEditor, RewrittenFile
from ste_plugin.forget.selection import Selection, find_files
from ste_plugin.judging.fault import names_fault
from ste_plugin.records import Drop, Judgment, ResponsePair
from ste_plugin.sampling.pass_rates import PassRate, mean_rate
from ste_plugin.storage.drop_log import count_reasons
from ste_plugin.storage.jsonl import iter_records, read_json, read_rows
from ste_plugin.storage.training_manifest import NAME as TRAINED

Example = tuple[str, str]
"""Key of a pair, and the letter of its better response."""


def update_datasets(root: Path, selection: Selection, editor: JsonlEditor) -> None:
    """Remove the rows from every data set of a run, and update its manifest."""
    for manifest in find_files(root, "manifest.json"):
        _update_dataset(manifest, selection, editor)
    for folder in {path.parent for path in root.rglob("dataset/*.jsonl")}:
        _remove_unreferenced(folder, selection, editor)


def comes_from(selection: Selection, row: Mapping[str, Any]) -> bool:
    """Return whether a row of a data set was made from a selected instruction or pair."""
    return row.get("instruction") in selection.instructions or row.get("pair") in selection.pairs


def find_models_trained_on(root: Path, selection: Selection) -> dict[str, set[str]]:
    """Return folder of a model, relative to the run → the instructions that its weights have seen.

    A model trained from another one has seen what that one saw.
    """
    files = {path.stem.rpartition("-")[2]: path for path in root.rglob("dataset/*-*.jsonl")}
    manifests = {path.parent: read_json(path) for path in find_files(root, TRAINED)}
    seen: dict[Path, set[str]] = {folder: set() for folder in manifests}
    for folder, manifest in manifests.items():
        for sha256 in manifest.get("data_sha256", {}).values():
            if path := files.get(sha256[:12]):
                selected = (row for _, row in read_rows(path) if comes_from(selection, row))
                seen[folder] |= {
                    selection.owners.get(r["pair"], r["instruction"]) for r in selected
                }
    for _ in manifests:  # a chain of models trained from each other is at most this long
        for folder, manifest in manifests.items():
            for other in manifests:
                if Path(manifest.get("base_model") or "").is_relative_to(other):
                    seen[folder] |= seen[other]
    return {str(f.relative_to(root)): keys for f, keys in sorted(seen.items()) if keys}


def count_drops(paths: list[Path]) -> dict[str, int]:
    """Return the reasons in files of drops, counted as in manifests."""
    return dict(count_reasons(drop for path in paths for drop in _read(path, Drop)))


def _update_dataset(manifest: Path, selection: Selection, editor: JsonlEditor) -> None:
    """Replace the files of a data set, then its manifest; then the old files are removed."""
    content, iteration = read_json(manifest), manifest.parent.parent
    rewritten = _rewrite_files(manifest.parent, content["files"], selection, editor)
    examples = _read_examples(iteration)
    removed = {example for example in examples if example[0] in selection.pairs}
    if (rewritten or removed) and "counts" in content:
        counts = content["counts"]
        # else an interrupted run of the command has subtracted them already
        if sum(counts.get("kept", {}).values()) != len(examples - removed):
            dev = rewritten["judge-dev"].removed if "judge-dev" in rewritten else []
            _subtract_examples(counts, removed, {row["pair"] for row in dev}, selection)
        _subtract_verdict_rows(content, rewritten)
        _recount_judgments(counts, iteration, selection)
    if content != read_json(manifest):
        editor.json(manifest, content)
    for file in rewritten.values():
        editor.remove(file.replaced)


def _rewrite_files(
    folder: Path, files: dict[str, Any], selection: Selection, editor: JsonlEditor
) -> dict[str, RewrittenFile]:
    """Return name → file, of those with removed rows; `files` is updated to them."""
    rewritten = {}
    for name, entry in files.items():
        path = folder / entry["path"]
        if not path.is_file():
            continue
        file = editor.rewrite_without(path, lambda row: comes_from(selection, row))
        if file.removed:
            rewritten[name] = file
            files[name] = entry | {
                "path": file.path.name,
                "sha256": file.sha256,
                "rows": file.rows,
            }
            editor.counts["data set rows"] += len(file.removed)
    return rewritten


def _remove_unreferenced(folder: Path, selection: Selection, editor: JsonlEditor) -> None:
    """Remove files with such rows that no manifest names, left by an interrupted writer."""
    manifest = folder / "manifest.json"
    files = read_json(manifest)["files"].values() if manifest.exists() else []
    named = {entry["path"] for entry in files}
    for path in folder.glob("*.jsonl"):
        if path.name not in named and any(comes_from(selection, row) for _, row in read_rows(path)):
            editor.remove(path)


def _subtract_examples(
    counts: dict[str, Any],
    removed: Collection[Example],
    held_out: Collection[str],
    selection: Selection,
) -> None:
    """Subtract examples from a manifest's counts; `held_out` are the keys of the pairs of dev."""
    for split in counts.get("kept", {}):
        examples = [e for e in removed if (e[0] in held_out) == (split == "dev")]
        counts["kept"][split] -= len(examples)
        _subtract(counts["letters"][split], Counter(letter for _, letter in examples))
        strategies = (selection.pairs[pair].strategy for pair, _ in examples)
        _subtract(counts["strategies"][split], Counter(strategies))


def _subtract_verdict_rows(
    manifest: dict[str, Any], rewritten: Mapping[str, RewrittenFile]
) -> None:
    """Subtract removed rows that ask for the letter alone from a manifest's count, if it has one.

    A file is rewritten once per manifest, so that nothing is subtracted twice.
    """
    if "verdict_rows" in manifest["counts"]:
        name = manifest["verdict_format"]["name"]
        removed = [row for file in rewritten.values() for row in file.removed]
        verdicts = sum(row.get("judge_format") == name for row in removed)
        manifest["counts"]["verdict_rows"] -= verdicts


def _subtract(counts: dict[str, int], removed: Mapping[str, int]) -> None:
    for name, number in removed.items():
        counts[name] = counts.get(name, 0) - number


def _recount_judgments(counts: dict[str, Any], iteration: Path, selection: Selection) -> None:
    """Update a manifest's counts to the judgments that are left; costs stay as they were paid."""
    judgments = _read(iteration / "judgments.jsonl", Judgment)
    left = [j for j in judgments if j.pair_key not in selection.pairs]
    if left:
        counts["judgments"] = len(left)
        counts["forced"] = sum(j.forced for j in left)
        counts["without_verdict"] = sum(j.verdict is None for j in left)
        counts["correct"] = sum(j.correct for j in left)
        if "faults" in counts:
            counts["faults"] = _count_faults(iteration, left)
    if rates := _read(iteration / "pass_rates.jsonl", PassRate):
        counts["pass_rate"] = mean_rate(r for r in rates if r.pair_key not in selection.pairs)


def _count_faults(iteration: Path, judgments: Iterable[Judgment]) -> dict[str, int]:
    """Return the counts of the correct judgments of pairs with a named fault."""
    pools = (folder / "pool" / "pairs.jsonl" for folder in iteration.parents)
    pool = next(path for path in pools if path.is_file())
    faulty = {pair.key: pair for pair in iter_records(pool, ResponsePair) if pair.fault}
    named = [
        names_fault(faulty[judgment.pair_key], judgment.reply)
        for judgment in judgments
        if judgment.correct and judgment.pair_key in faulty
    ]
    return {"correct": len(named), "named": sum(named)}


def _read_examples(iteration: Path) -> set[Example]:
    """Return the examples of a data set, whatever rows were made of them.

    All that were judged are examples unless they were dropped. A drop whose reason ends in "rows"
    is of one row format alone.
    """
    rates = _read(iteration / "pass_rates.jsonl", PassRate)
    drops = _read(iteration / "drops.jsonl", Drop)
    return {(rate.pair_key, rate.gold) for rate in rates} - {
        (drop.key[:-2], drop.key[-1])
        for drop in drops
        if drop.stage == "dataset" and not drop.reason.endswith(" rows")
    }


def _read(path: Path, kind: Any) -> list[Any]:
    return list(iter_records(path, kind)) if path.exists() else []
