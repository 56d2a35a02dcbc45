"""The reports of a run, updated to what its data sets and evaluations say now."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ste_plugin.audit.gate_decision import CHECK as GATES
from ste_plugin.context import IterationReport, RunContext, reported_counts, reported_figures
from ste_plugin.errors import SteError
from ste_plugin.evaluation.report import write_page
from ste_plugin.forget.editor import JsonlEditor
from ste_plugin.forget.gate_words import is_built_in, without_plugins
from ste_plugin.forget.selection import find_files
from ste_plugin.storage.durable import remove
from ste_plugin.storage.jsonl import read_json


def update_reports(root: Path, editor: JsonlEditor) -> None:
    """Update done.json, report.md and report.json to the figures and counts that are left.

    Which iteration is the best is decided by the next `ste run`, as always.
    """
    if editor.dry:
        return
    updated: dict[int, dict[str, Any]] = {}
    for path in find_files(root, "done.json"):
        content = read_json(path)
        if "evaluations" not in content:
            continue
        before = IterationReport.from_dict(content)
        after = _update_report(path.parent, before)
        if path.parent.parent == root:
            updated[after.number] = after.to_dict()
        if after != before:
            editor.json(path, after.to_dict())
            if (path.parent / "report.md").exists():
                write_page(replace(after, folder=str(path.parent)))
    report = root / "report.json"
    if report.exists():
        content = read_json(report)
        iterations = [updated.get(row["number"], row) for row in content["iterations"]]
        if iterations != content["iterations"]:
            editor.json(report, content | {"iterations": iterations})


_FIGURES_OF_JUDGES = ("collapse", GATES, "probes")
"""The checks whose findings quote no text of instructions or answers; a plugin's may, also among
gates."""


def update_findings(root: Path, editor: JsonlEditor) -> None:
    """Remove what audits may quote; `ste audit` finds it again in what is left."""
    for path in find_files(root, "findings.json"):
        before = read_json(path)
        if not isinstance(before, dict) or not all(isinstance(c, dict) for c in before.values()):
            editor.remove(path)  # damaged: what it quotes cannot be told
            continue
        after = {
            number: {
                check: [row for row in rows if check != GATES or is_built_in(row)]
                for check, rows in checks.items()
                if check in _FIGURES_OF_JUDGES
            }
            for number, checks in before.items()
        }
        if after != before:
            editor.json(path, after)
    for path in find_files(root, "shortcuts.json"):
        editor.remove(path)


def update_page(context: RunContext) -> None:
    """Write report.html again where there is one, or remove it where that cannot be done."""
    from ste_plugin.report.page import write_report

    page = context.folder.report_page
    if not page.exists():
        return
    try:
        write_report(context.folder, context.plugins)
    except SteError:
        remove(page)


def _update_report(folder: Path, report: IterationReport) -> IterationReport:
    """Return an iteration's report with the figures and counts of the files beside it."""
    paths = {name: folder / "eval" / name / "results.json" for name in report.evaluations}
    figures = {
        name: reported_figures(read_json(path)) for name, path in paths.items() if path.exists()
    }
    broken = tuple(without_plugins(report.broken))
    report = replace(report, evaluations=report.evaluations | figures, broken=broken)
    counts = [read_json(path).get("counts", {}) for path in find_files(folder, "manifest.json")]
    return replace(report, **reported_counts(counts)) if counts else report
