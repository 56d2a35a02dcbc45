"""The reports of a run, updated to what its data sets and evaluations say now."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ste_plugin.context import IterationReport, reported_figures
from ste_plugin.evaluation.report import write_page
from ste_plugin.forget.editor import JsonlEditor
from ste_plugin.forget.selection import files_named
from ste_plugin.storage.jsonl import read_json


def update_reports(root: Path, editor: JsonlEditor) -> None:
    """Update done.json, report.md and report.json to the figures and counts that are left.

    Which iteration is the best is decided by the next `ste run`, as always.
    """
    if editor.dry:
        return
    fresh: dict[int, dict[str, Any]] = {}
    for place in files_named(root, "done.json"):
        content = read_json(place)
        if "evaluations" not in content:
            continue
        before = IterationReport.from_dict(content)
        after = _now(place.parent, before)
        if place.parent.parent == root:
            fresh[after.number] = after.to_dict()
        if after != before:
            editor.json(place, after.to_dict())
            if (place.parent / "report.md").exists():
                write_page(replace(after, folder=str(place.parent)))
    report = root / "report.json"
    if report.exists():
        content = read_json(report)
        rows = [fresh.get(row["number"], row) for row in content["iterations"]]
        if rows != content["iterations"]:
            editor.json(report, content | {"iterations": rows})


def _now(folder: Path, report: IterationReport) -> IterationReport:
    """Return an iteration's report with the figures and counts of the files beside it."""
    places = {name: folder / "eval" / name / "results.json" for name in report.evaluations}
    measured = {name: read_json(place) for name, place in places.items() if place.exists()}
    figures = {name: reported_figures(results) for name, results in measured.items()}
    counts = [read_json(p).get("counts", {}) for p in files_named(folder, "manifest.json")]
    if not counts:
        return replace(report, evaluations=report.evaluations | figures)
    return replace(
        report,
        evaluations=report.evaluations | figures,
        sampled=sum(c.get("judgments", 0) for c in counts),
        kept=sum(c.get("kept", {}).get("train", 0) for c in counts),
    )
