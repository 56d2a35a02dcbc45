"""Data sets without the rows of what goes: files, hashes and counts, and what was trained on them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ste_plugin.forget.cutting import JsonlEditor, Row
from ste_plugin.forget.wanted import Selection, files_named
from ste_plugin.records import Drop, Judgment
from ste_plugin.sampling.pass_rates import PassRate, mean_rate
from ste_plugin.storage.jsonl import iter_records, read_json, read_rows
from ste_plugin.storage.training_manifest import NAME as TRAINED


def mend_datasets(root: Path, gone: Selection, scissors: JsonlEditor) -> None:
    """Take the rows out of every data set of a run; its manifest then tells of what is left."""
    for manifest in files_named(root, "manifest.json"):
        content = read_json(manifest)
        iteration = manifest.parent.parent
        old, removed = _recut(manifest.parent, content["files"], gone, scissors)
        examples = _examples(iteration)
        theirs = {example for example in examples if example[0] in gone.pairs}
        if (old or theirs) and "counts" in content:
            if sum(content["counts"].get("kept", {}).values()) == len(examples - theirs):
                theirs = set()  # an interrupted forgetting has told it already
            _recount(iteration, content, theirs, removed.get("judge-dev", []), gone)
        if content != read_json(manifest):
            scissors.json(manifest, content)
        for path in old:
            scissors.remove(path)
    for folder in {p.parent for p in root.rglob("dataset/*.jsonl")}:
        _remove_strays(folder, gone, scissors)


def of(gone: Selection, row: Mapping[str, Any]) -> bool:
    """Return whether a row of a data set comes of what goes."""
    return row.get("instruction") in gone.instructions or row.get("pair") in gone.pairs


def _recut(
    folder: Path, files: dict[str, Any], gone: Selection, scissors: JsonlEditor
) -> tuple[list[Path], dict[str, list[Row]]]:
    """Return the files that others replace, and the rows cut out, by name; `files` names the others."""
    old, removed = [], {}
    for name, entry in files.items():
        path = folder / entry["path"]
        if not path.is_file():
            continue
        fresh, sha256, rows, cut = scissors.recut(path, lambda row: of(gone, row))
        if cut:
            files[name] = {**entry, "path": fresh.name, "sha256": sha256, "rows": rows}
            old.append(path)
            removed[name] = cut
            scissors.counts["data set rows"] += len(cut)
    return old, removed


def _remove_strays(folder: Path, gone: Selection, scissors: JsonlEditor) -> None:
    """Remove files of rows that no manifest names: what an interrupted writer, or an older data set, left."""
    manifest = folder / "manifest.json"
    files = read_json(manifest)["files"].values() if manifest.exists() else []
    known = {entry["path"] for entry in files}
    for path in folder.glob("*.jsonl"):
        if path.name not in known and any(of(gone, row) for _, row in read_rows(path)):
            scissors.remove(path)


def _recount(
    iteration: Path, content: dict[str, Any], theirs: set[tuple[str, str]],
    dev: Iterable[Row], gone: Selection,
) -> None:  # fmt: skip
    """Bring a manifest's counts to what is left; what was spent stays spent.

    `theirs`: pair and letter of the examples that go; `dev`: the held-out rows that went with them.
    """
    counts, held_out = content["counts"], {row["pair"] for row in dev}
    for split in counts.get("kept", {}):
        examples = {e for e in theirs if (e[0] in held_out) == (split == "dev")}
        counts["kept"][split] -= len(examples)
        _subtract(counts["letters"][split], Counter(letter for _, letter in examples))
        strategies = Counter(gone.pairs[p].strategy for p, _ in examples if p in gone.pairs)
        _subtract(counts["strategies"][split], strategies)
    left = [
        j for j in _records(iteration / "judgments.jsonl", Judgment) if j.pair_key not in gone.pairs
    ]
    if left:
        counts["judgments"] = len(left)
        counts["forced"] = sum(j.forced for j in left)
        counts["without_verdict"] = sum(j.verdict is None for j in left)
        counts["correct"] = sum(j.correct for j in left)
    if rates := _records(iteration / "pass_rates.jsonl", PassRate):
        counts["pass_rate"] = mean_rate(r for r in rates if r.pair_key not in gone.pairs)


def _examples(iteration: Path) -> set[tuple[str, str]]:
    """Return pair and letter of all examples of a data set, whatever rows were made of them.

    Those are all that was judged but for what was dropped; drops among the rows of one format are of that alone.
    """
    judged = {(r.pair_key, r.gold) for r in _records(iteration / "pass_rates.jsonl", PassRate)}
    dropped = {
        (d.key[:-2], d.key[-1]) for d in _records(iteration / "drops.jsonl", Drop)
        if d.stage == "dataset" and not d.reason.endswith(" rows")
    }  # fmt: skip
    return judged - dropped


def _subtract(counts: dict[str, int], removed: Mapping[str, int]) -> None:
    for name, number in removed.items():
        counts[name] = counts.get(name, 0) - number


def _records(path: Path, kind: Any) -> list[Any]:
    return list(iter_records(path, kind)) if path.exists() else []


def trained_on(root: Path, gone: Selection) -> dict[str, set[str]]:
    """Return folder of a model, relative to the run → the instructions that its weights have seen.

    A model that goes on from another one has seen what that one saw.
    """
    rows = {path.stem.rpartition("-")[2]: path for path in root.rglob("dataset/*-*.jsonl")}
    done = {path.parent: read_json(path) for path in files_named(root, TRAINED)}
    seen: dict[Path, set[str]] = {folder: set() for folder in done}
    for folder, told in done.items():
        for sha256 in told.get("data_sha256", {}).values():
            if path := rows.get(sha256[:12]):
                theirs = (row for _, row in read_rows(path) if of(gone, row))
                seen[folder] |= {gone.owners.get(r["pair"], r["instruction"]) for r in theirs}
    for _ in done:  # as many steps as there could be from a model to the last that goes on from it
        for folder, told in done.items():
            for other in done:
                if Path(told.get("base_model") or "").is_relative_to(other):
                    seen[folder] |= seen[other]
    return {str(f.relative_to(root)): keys for f, keys in sorted(seen.items()) if keys}


def drop_counts(paths: list[Path]) -> dict[str, int]:
    """Return the reasons in files of drops, counted as manifests tell them."""
    drops = [drop for path in paths for drop in _records(path, Drop)]
    return dict(Counter(f"{d.stage}: {d.reason}" for d in drops))
