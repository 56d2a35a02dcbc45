"""Evaluations without the selected pairs: judged.jsonl, lm-eval's samples, and the figures."""

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ste_plugin.forget.editor import JsonlEditor, Row
from ste_plugin.forget.query import ForgetQuery
from ste_plugin.forget.selection import Selection, find_files
from ste_plugin.lm_eval_tasks.figures import summarise
from ste_plugin.lm_eval_tasks.judged_file import JUDGED, pairs_hash, read_judged
from ste_plugin.lm_eval_tasks.runner import SEED, read_documents
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.jsonl import read_json

_QUOTED = ("doc", "resps", "filtered_resps")
"""Fields of an lm-eval sample that quote pairs and replies; the others hold the prompt's words."""


def update_evaluations(
    root: Path,
    selection: Selection,
    query: ForgetQuery,
    editor: JsonlEditor,
    held_out: dict[str, Path],
) -> None:
    """Remove the pairs from every evaluation of a run, and compute its figures without them."""
    for path in sorted(root.rglob("samples_*.jsonl")):
        editor.remove_rows(
            path, "evaluation samples", lambda row: _is_selected(row["doc"], row, selection, query)
        )
    for path in find_files(root, JUDGED):
        editor.remove_rows(
            path, "judged pairs", lambda row: _is_selected(row, row, selection, query)
        )
        if not editor.dry:
            _recompute_figures(path.parent, held_out, editor)


def _is_selected(document: Row, row: Row, selection: Selection, query: ForgetQuery) -> bool:
    if document.get("id") in selection.pairs:
        return True
    quoted = [row[name] for name in _QUOTED if name in row] or [document.get("prompt", "")]
    return query.matches(*_texts(quoted))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _recompute_figures(folder: Path, held_out: dict[str, Path], editor: JsonlEditor) -> None:
    """Update results.json to the pairs that are left, and to the file that they are read from."""
    path = folder / "results.json"
    judged = read_judged(folder)
    if not path.exists() or isinstance(judged, dict):
        return
    results = read_json(path)
    updated = dict(results)
    if results["n"] != len(judged) and judged:
        updated |= summarise(judged, SEED, _settings(results))
    data = held_out.get(folder.name)
    if data and data.name != Path(results["data"] or "").name:
        settings = replace(_settings(results), data=data)
        updated["data"] = str(data)
        updated["data_sha256"] = hashlib.sha256(data.read_bytes()).hexdigest()
        updated["pairs_sha256"] = pairs_hash(row.to_doc() for row in read_documents(settings))
    if updated != results:
        editor.json(path, updated)


def _settings(results: dict[str, Any]) -> JudgeSettings:
    names = {field.name for field in fields(JudgeSettings)}
    return JudgeSettings(**{k: v for k, v in results["settings"].items() if k in names})
