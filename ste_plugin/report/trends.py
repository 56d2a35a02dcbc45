"""Figures of the audit of collapse over the rounds of a run, with their thresholds, as plots."""

import re
from collections.abc import Iterator
from typing import Any

from ste_plugin.audit import collapse, shares
from ste_plugin.audit.finding import Finding
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.report.parts import Estimate, Lines, Panel, Paragraph, Part
from ste_plugin.report.read_run import RunFigures

_LIMITS = {"most": "at most", "least": "at least", "size": "off 0 by at most"}
_JUDGES = re.compile(r"^(the seed|iteration \d+)|, judged by .*$")
"""What a subject says of judges: the rest of it is the same in all rounds."""


def trend_parts(run: RunFigures) -> list[Part]:
    """Return the plots under a sentence on them; nothing where no figure has two rounds."""
    panels = list(trend_panels(run))
    words = (
        "How that moved over the rounds; dashed is what a figure is held to. Position bias and "
        "letters: how far the share of one letter is from one half."
    )
    return [Paragraph(words), Lines(panels, shared=False)] if panels else []


def trend_panels(run: RunFigures) -> Iterator[Panel]:
    """Yield a panel per figure that at least two rounds have, in the order of the audit."""
    by_title: dict[str, dict[int, Finding]] = {}
    for number, checks in sorted(run.findings.items()):
        for finding in checks.get(shares.CHECK, ()):
            if finding.name in collapse.TRENDS:
                title = finding.name + _JUDGES.sub("", finding.subject)
                by_title.setdefault(title, {}).setdefault(number, finding)
    rounds = sorted({0, *run.findings, *(r.number for r in run.measured)})
    for title, found in by_title.items():
        known = _first_round(run, title, found)
        known |= {n: _estimate(f.figure, f.interval) for n, f in found.items() if not f.undecided}
        if len(known) > 1:
            points = [(judge_label(n), known.get(n, Estimate(None))) for n in rounds]
            yield _panel(title, points, [f for f in found.values() if f.threshold is not None])


def _panel(title: str, points: list[tuple[str, Estimate]], held: list[Finding]) -> Panel:
    """Return a figure over the rounds, with the threshold that it was held to last."""
    start = "of iteration 1's, " if title.startswith(collapse.OF_FIRST_ROUND) else ""
    if not held:
        return Panel(title, points, note=start.removesuffix(", "))
    threshold = held[-1].threshold
    note = f"{start}{_LIMITS[held[-1].limit]} {threshold:g}"
    return Panel(title, points, note=note, limit=threshold)


def _first_round(run: RunFigures, title: str, found: dict[int, Finding]) -> dict[int, Estimate]:
    """Return what a figure was where the run began, of which there is no finding."""
    if title.startswith(collapse.OF_FIRST_ROUND):
        return {1: Estimate(1.0)} if 1 in found else {}
    name, _, pairs = title.partition(", ")
    seed = run.collapse.get("judges", {}).get("0", {}).get(name)
    is_known = seed is not None and pairs == run.collapse.get("pairs") and 0 not in found
    return {0: _estimate(seed["figure"], seed["interval"])} if is_known else {}


def _estimate(figure: float | None, interval: Any) -> Estimate:
    return Estimate(figure, tuple(interval) if interval else None)
