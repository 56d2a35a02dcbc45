"""Findings as lines of text for a terminal of 80 columns: what failed first, with its cure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from textwrap import wrap

from ste_plugin.audit.finding import Finding

WIDTH = 80
FAILED, UNSURE, UNDECIDED, PASSED, TOLD = "FAILED", "unsure", "undecided", "ok", "told"
STATUSES = (FAILED, UNSURE, UNDECIDED, PASSED, TOLD)
"""In the order in which they are shown."""
_INDENT = " " * (len(UNDECIDED) + 1)


def format_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of all findings: by check in the order given, failed ones first.

    A cure that several in a row share comes once, after the last of them.
    """
    for check, found in groupby(findings, key=lambda finding: finding.check):
        yield check
        ranked = sorted(found, key=_rank)
        for finding, following in zip_longest(ranked, ranked[1:]):
            yield from _format_finding(finding)
            if finding.failed and finding.cure and not _shares_cure(finding, following):
                yield from _wrapped(finding.cure, _INDENT + "→ ")
        yield ""


def _shares_cure(finding: Finding, following: Finding | None) -> bool:
    return following is not None and (following.failed, following.cure) == (True, finding.cure)


def _rank(finding: Finding) -> int:
    return STATUSES.index(status_of(finding))


def status_of(finding: Finding) -> str:
    """Return a finding's status in a word: of its figure against the threshold."""
    if finding.failed:
        return FAILED
    if finding.undecided:
        return UNDECIDED
    if finding.unsure:
        return UNSURE
    return TOLD if finding.threshold is None else PASSED


def _format_finding(finding: Finding) -> Iterator[str]:
    yield f"{status_of(finding):<{len(_INDENT)}}{finding.name} · {finding.subject}"
    if figures := _format_figures(finding):
        yield _INDENT + figures
    yield from _wrapped(finding.words, _INDENT)


def _format_figures(finding: Finding) -> str:
    return ", ".join(_figures(finding))


def _figures(finding: Finding) -> Iterable[str]:
    if finding.figure is not None:
        interval = finding.interval
        around = f" [{_decimals(interval[0])}, {_decimals(interval[1])}]" if interval else ""
        is_count = not interval and finding.figure == round(finding.figure)
        yield f"{finding.figure:,.0f}" if is_count else f"{_decimals(finding.figure)}{around}"
    if finding.threshold is not None:
        yield f"threshold {finding.threshold:g}"
    if finding.n:
        yield f"n = {finding.n:,}"


def _decimals(value: float) -> str:
    """Return a figure to three decimals, and a zero without a sign."""
    return f"{round(value, 3) + 0.0:.3f}"


def _wrapped(text: str, start: str) -> list[str]:
    """Return a text's lines, the first after `start`, the others below it."""
    later = " " * len(start)
    return wrap(text, WIDTH, initial_indent=start, subsequent_indent=later, break_on_hyphens=False)


def summarize(findings: Sequence[Finding]) -> str:
    """Return the line that ends the output where no figure breaks its threshold."""
    statuses = [status_of(finding) for finding in findings]
    kept, unsure, undecided = map(statuses.count, (PASSED, UNSURE, UNDECIDED))
    told = f"{kept} figure{'s keep their thresholds' if kept != 1 else ' keeps its threshold'}"
    if unsure:
        told += f"; {unsure} unsure (beyond the threshold, but not failed)"
    return f"{told}; {undecided} undecided." if undecided else f"{told}."
