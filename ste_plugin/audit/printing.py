"""Findings as lines of text for a terminal of 80 columns: what failed first, with its cure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from ste_plugin.audit.finding import Finding

WIDTH = 80
_INDENT = " " * 8
FAILED, UNDECIDED, PASSED, TOLD = "FAILED", "too few", "ok", "told"


def format_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of all findings: by check in the order given, failed ones first."""
    for check, found in groupby(findings, key=lambda finding: finding.check):
        yield check
        for finding in sorted(found, key=_rank):
            yield from _format_finding(finding)
        yield ""


def _rank(finding: Finding) -> int:
    return [FAILED, UNDECIDED, PASSED, TOLD].index(status_of(finding))


def status_of(finding: Finding) -> str:
    """Return a finding's status in a word: of its figure against the threshold."""
    if finding.failed:
        return FAILED
    if finding.undecided:
        return UNDECIDED
    return TOLD if finding.threshold is None else PASSED


def _format_finding(finding: Finding) -> Iterator[str]:
    yield f"{status_of(finding):<{len(_INDENT)}}{finding.name} · {finding.subject}"
    if figures := _format_figures(finding):
        yield _INDENT + figures
    yield from _wrapped(finding.words, _INDENT)
    if finding.failed and finding.cure:
        yield from _wrapped(finding.cure, _INDENT + "→ ")


def _format_figures(finding: Finding) -> str:
    return ", ".join(_figures(finding))


def _figures(finding: Finding) -> Iterable[str]:
    if finding.figure is not None:
        interval = finding.interval
        around = f" [{interval[0]:.3g}, {interval[1]:.3g}]" if interval else ""
        yield f"{finding.figure:.3g}{around}"
    if finding.threshold is not None:
        yield f"threshold {finding.threshold:g}"
    if finding.n:
        yield f"n = {finding.n:,}"


def _wrapped(text: str, start: str) -> list[str]:
    """Return a text's lines, the first after `start`, the others below it."""
    later = " " * len(start)
    return wrap(text, WIDTH, initial_indent=start, subsequent_indent=later, break_on_hyphens=False)
