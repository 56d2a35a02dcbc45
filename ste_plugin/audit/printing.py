"""Findings as lines of text for a terminal of 80 columns: what failed first, with its cure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from textwrap import wrap

from ste_plugin.audit.finding import Finding

WIDTH = 80
FAILED, UNDECIDED, PASSED, TOLD = "FAILED", "undecided", "ok", "told"
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


def summarize(findings: Sequence[Finding]) -> str:
    """Return the line that ends the output where no figure breaks its threshold."""
    kept = sum(status_of(finding) == PASSED for finding in findings)
    undecided = sum(finding.undecided for finding in findings)
    rest = f"; {undecided} undecided" if undecided else ""
    return (
        f"{kept} figure{'s keep their thresholds' if kept != 1 else ' keeps its threshold'}{rest}."
    )
