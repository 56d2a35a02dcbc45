"""Whether a run's judges can be trusted: what audits and gates found, and how people agree."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.printing import FAILED, PASSED, STATUSES, UNDECIDED, UNSURE, status_of
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.report.parts import (
    Cell,
    Column,
    Details,
    Estimate,
    Mark,
    Paragraph,
    Part,
    Section,
    Strip,
    Table,
)
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.report.trends import trend_parts
from ste_plugin.review.agreement import Agreement
from ste_plugin.review.coefficients import Coefficient
from ste_plugin.review.rates import Estimate as Rate
from ste_plugin.review.results import Results
from ste_plugin.text.numbers import percent

GATES = "gates"
"""The check whose findings are those of gates."""
_MANY = 8
"""Figures of an audit; more of them would push what follows off the screen."""


def trust_sections(run: RunFigures) -> list[Section]:
    """Return the sections on audit, gates and people; each says where there is nothing yet."""
    return [_audit(run), *_gates(run), _people(run)]


def _audit(run: RunFigures) -> Section:
    by_iteration = {
        number: [f for name, found in checks.items() if name != GATES for f in found]
        for number, checks in run.findings.items()
    }
    nothing = Paragraph(
        "Not examined yet: `ste audit` looks for what the judge learnt instead of judging.",
        "note",
    )
    return Section("Audit", "audit", [*_findings_parts(run, by_iteration)] or [nothing])


def _gates(run: RunFigures) -> list[Section]:
    decided = [(r, r.gates) for r in run.rounds if r.gates]
    parts: list[Part] = []
    for r, gates in decided:
        parts += [_gate_words(r, gates)]
    tables = [(r, _gate_findings(gates)) for r, gates in decided]
    parts += [
        Details(f"Figures of {r.name}", [_table(findings)]) for r, findings in tables if findings
    ]
    return [Section("Gates", "gates", parts)] if parts else []


def _gate_words(r: Round, gates: Mapping[str, Any]) -> Paragraph:
    broken = [str(words) for words in gates.get("broken", ())]
    if broken:
        told = " ".join(f"{words.rstrip('.')}." for words in broken)
        return Paragraph(f"{r.name.capitalize()} is not shipped, and judges nothing. {told}", "bad")
    warnings = [str(words) for words in gates.get("warnings", ())]
    told = "".join(f" A warning: {words.rstrip('.')}." for words in warnings)
    return Paragraph(f"{r.name.capitalize()} keeps its gates.{told}", "" if warnings else "good")


def _gate_findings(gates: Mapping[str, Any]) -> list[Finding]:
    return [Finding.from_dict(f) for f in gates.get("findings", ()) if f.get("check") == GATES]


def _findings_parts(
    run: RunFigures, by_iteration: Mapping[int, Sequence[Finding]]
) -> Iterator[Part]:
    """Yield what was found of the round that is shown, or else of the latest: what failed first,
    with its cure, and how figures moved. Findings of other rounds are shown on request."""
    first = run.shown.number if run.shown else None
    audited = [number for number in sorted(by_iteration, reverse=True) if by_iteration[number]]
    audited.sort(key=lambda number: number != first)
    for place, number in enumerate(audited):
        findings = by_iteration[number]
        name = f"Iteration {number}" if number else "The seed"
        failed = [finding for finding in findings if finding.failed]
        parts: list[Part] = [_counted(name, findings), *_failures(failed)]
        if place == 0:
            yield from [*parts, *trend_parts(run), _all_figures(findings)]
        else:
            figures = f"figure{'' if len(findings) == 1 else 's'}"
            title = f"{name}: {len(failed)} of {len(findings)} {figures} failed"
            yield Details(title, [*parts, _all_figures(findings)])


def _counted(name: str, findings: Sequence[Finding]) -> Paragraph:
    statuses = [status_of(finding) for finding in findings]
    failed, unsure, undecided, kept = map(statuses.count, (FAILED, UNSURE, UNDECIDED, PASSED))
    told = f"{name}: of {len(findings)} figure{'' if len(findings) == 1 else 's'} "
    breaks = "breaks its threshold" if failed == 1 else "break their thresholds"
    told += f"{failed} {breaks}" if failed else "none breaks its threshold"
    if unsure:
        told += f", {unsure} {'is' if unsure == 1 else 'are'} beyond it but not failed (unsure)"
    if undecided:
        told += f", and {undecided} could not be computed"
    return Paragraph(f"{told}.", "bad" if failed else "good" if kept else "note")


def _failures(failed: Sequence[Finding]) -> Iterator[Paragraph]:
    """Yield what failed, in words; a cure that several in a row share comes once, with the last."""
    for finding, following in zip_longest(failed, failed[1:]):
        shared = following is not None and following.cure == finding.cure
        cure = f" What to do: {finding.cure}" if finding.cure and not shared else ""
        yield Paragraph(f"{finding.name} ({finding.subject}): {finding.words}{cure}", "bad")


def _all_figures(findings: Sequence[Finding]) -> Part:
    """Return the table of what was looked at; a long one is shown on request."""
    table = _table(findings)
    return Details(f"All {len(findings)} figures", [table]) if len(findings) > _MANY else table


def _table(findings: Sequence[Finding]) -> Table:
    """Return what was looked at: what failed, then what is unsure or undecided, then the rest."""
    columns = [
        Column("what"),
        Column("state"),
        Column("of"),
        Column("figure", "number"),
        Column("held to", "number"),
        Column("n", "number"),
        Column("meaning"),
    ]
    ordered = sorted(findings, key=lambda f: STATUSES.index(status_of(f)))
    return Table(columns, [_row(finding) for finding in ordered], "All figures.", wordy=True)


def _row(f: Finding) -> list[Cell]:
    counted = f.interval is None and f.figure is not None and f.figure == int(f.figure)
    figure: Cell = int(f.figure or 0) if counted else Estimate(f.figure, f.interval)
    threshold = f.threshold
    if counted and threshold is not None and threshold == int(threshold):
        threshold = int(threshold)
    what = f"{f.check}: {f.name}"
    return [what, status_of(f).lower(), f.subject, figure, threshold, f.n or None, f.words]


def _people(run: RunFigures) -> Section:
    said = run.people
    if said is None:
        nothing = "Nobody has looked at its pairs and judgments yet: `ste review` asks people to."
        return Section("People", "people", [Paragraph(nothing, "note")])
    labels = ", ".join(f"{rater} ({n:,})" for rater, n in sorted(said.labels.items()))
    parts: list[Part] = [Paragraph(f"Labels by {labels}.")]
    parts += _other_judge(run, said)
    if said.of_other_pairs:
        others = f"{said.of_other_pairs:,} labels are of pairs that this run does not have."
        parts.append(Paragraph(others, "note"))
    if said.ceiling is not None:
        parts.append(
            Paragraph(
                f"Two people say the same of {percent(said.ceiling)} of the pairs: no judge can be "
                "asked for more."
            )
        )
    return Section("People", "people", [*parts, *_strategies(said), *_agreements(said)])


def _other_judge(run: RunFigures, said: Results) -> list[Part]:
    """Return that people were held against another judge than the shipped one, where it is so."""
    held = said.judge_iteration
    if held is None or run.best in (None, held):
        return []
    words = (
        f"The judge that they are held against is {judge_name(held)}; the run ships "
        f"{judge_name(run.best)}: `ste agreement RUN --iteration {run.best}` holds them against "
        "that one."
    )
    return [Paragraph(words, "bad")]


def _strategies(said: Results) -> Iterator[Table]:
    """Yield how often better answers are better, and how often a judgment's reasoning holds."""
    rows: list[list[Cell]] = [
        [name, _strip(rate.rate), _estimate(rate.rate), rate.pairs, rate.worse]
        for name, rate in said.strategies.items()
    ]
    columns = [
        Column("kind of pair"),
        Column("is better", "plot"),
        Column("share", "number"),
        Column("pairs", "number"),
        Column("called worse", "number"),
    ]
    if rows:
        yield Table(columns, rows, "How often the better answer is better, as most people say.")
    rows = [[name, _strip(rate), _estimate(rate)] for name, rate in said.reasoning.items()]
    columns = [Column("kind of pair"), Column("holds", "plot"), Column("share", "number")]
    if rows:
        of = f" of {said.reasoning_by}" if said.reasoning_by else ""
        yield Table(columns, rows, f"How often a judgment's reasoning{of} holds, as people say.")


def _strip(rate: Rate) -> Strip:
    return Strip((Mark("share", _estimate(rate)),))


def _estimate(found: Rate | Coefficient | None) -> Estimate:
    return Estimate(found.value, found.interval) if found else Estimate(None)


def _agreements(said: Results) -> Iterator[Table]:
    """Yield how far people agree with each other, and the judge with them."""
    rows: list[list[Cell]] = [
        [
            name,
            *map(_estimate, (found.raw, found.kappa, found.ac1, found.alpha)),
            found.kappa.expected if found.kappa else None,
            found.items,
        ]
        for name, found in _who(said)
    ]
    headings = ("same answer", "Cohen's κ", "Gwet's AC1", "Krippendorff's α", "by chance", "pairs")
    columns = [Column("who"), *(Column(heading, "number") for heading in headings)]
    caption = (
        "How far they agree: raw, and beyond what chance would give. By chance: raw agreement that "
        "κ expects of it."
    )
    if rows:
        yield Table(columns, rows, caption)


def _who(said: Results) -> Iterator[tuple[str, Agreement]]:
    """Yield who agrees with whom; single raters only where there are several."""
    if said.people:
        yield "people with each other", said.people
    if len(said.pairs_of_people) > 1:
        yield from said.pairs_of_people.items()
    number = said.judge_iteration
    judge = f"judge of iteration {number}" if number else "seed judge"
    if said.judge:
        yield f"{judge} with a person", said.judge
    if len(said.judge_with) > 1:
        yield from ((f"{judge} with {name}", found) for name, found in said.judge_with.items())
