"""Evaluations without what goes: what was said of each pair, lm-eval's samples, and the figures."""

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ste_plugin.forget.cutting import JsonlEditor, Row
from ste_plugin.forget.wanted import ForgetQuery, Selection, files_named
from ste_plugin.lm_eval_tasks.figures import summarise
from ste_plugin.lm_eval_tasks.judged_file import JUDGED, pairs_hash, read_judged
from ste_plugin.lm_eval_tasks.runner import SEED, read_documents
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.jsonl import read_json

_QUOTED = ("doc", "resps", "filtered_resps")
"""Where a sample of lm-eval quotes pairs and replies; the rest is the prompt's own words."""


def mend_evaluations(
    root: Path,
    gone: Selection,
    wanted: ForgetQuery,
    scissors: JsonlEditor,
    held_out: dict[str, Path],
) -> None:
    """Take the pairs out of every evaluation of a run, and compute its figures without them."""
    for path in sorted(root.rglob("samples_*.jsonl")):
        scissors.cut(path, "evaluation samples", lambda row: _of(row["doc"], row, gone, wanted))
    for path in files_named(root, JUDGED):
        scissors.cut(path, "judged pairs", lambda row: _of(row, row, gone, wanted))
        if not scissors.dry:
            _refigure(path.parent, held_out, scissors)


def _of(document: Row, row: Row, gone: Selection, wanted: ForgetQuery) -> bool:
    if document.get("id") in gone.pairs:
        return True
    quoted = [row[name] for name in _QUOTED if name in row] or [document.get("prompt", "")]
    return wanted.matches(*_texts(quoted))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _refigure(folder: Path, held_out: dict[str, Path], scissors: JsonlEditor) -> None:
    """Bring results.json to the pairs that are left, and to the file that they are read from."""
    place = folder / "results.json"
    judged = read_judged(folder)
    if not place.exists() or isinstance(judged, dict):
        return
    results = read_json(place)
    fresh = dict(results)
    if results["n"] != len(judged) and judged:
        fresh |= summarise(judged, SEED, _settings(results))
    data = held_out.get(folder.name)
    if data and data.name != Path(results["data"] or "").name:
        settings = replace(_settings(results), data=data)
        fresh["data"] = str(data)
        fresh["data_sha256"] = hashlib.sha256(data.read_bytes()).hexdigest()
        fresh["pairs_sha256"] = pairs_hash(row.to_doc() for row in read_documents(settings))
    if fresh != results:
        scissors.json(place, fresh)


def _settings(results: dict[str, Any]) -> JudgeSettings:
    names = {field.name for field in fields(JudgeSettings)}
    return JudgeSettings(**{k: v for k, v in results["settings"].items() if k in names})
