"""Whether a run's judges can be trusted: what audits and gates found, and how people agree."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.report.parts import (
    Cell,
    Column,
    Details,
    Estimate,
    Paragraph,
    Part,
    Section,
    Table,
)
from ste_plugin.report.read_run import RunFigures
from ste_plugin.storage.jsonl import read_json

GATES = "gates"
"""The check whose findings are those of gates."""


def trust_sections(run: RunFigures) -> list[Section]:
    """Return the sections on audit, gates and people; each says where there is nothing yet."""
    return [_audit(run), *_gates(run), _people(run)]


def _audit(run: RunFigures) -> Section:
    by_iteration = {
        number: [f for name, found in checks.items() if name != GATES for f in found]
        for number, checks in run.findings.items()
    }
    parts = list(_findings_parts(by_iteration))
    nothing = Paragraph(
        "Not examined yet: `ste audit` looks for what the judge may have learnt instead of judging.",
        "note",
    )
    return Section("Audit", "audit", parts or [nothing])


def _gates(run: RunFigures) -> list[Section]:
    by_iteration = {n: list(checks.get(GATES, ())) for n, checks in run.findings.items()}
    parts = list(_findings_parts(by_iteration))
    return [Section("Gates", "gates", parts)] if parts else []


def _findings_parts(by_iteration: Mapping[int, Sequence[Finding]]) -> Iterable[Part]:
    """Yield the latest iteration's findings, those that failed first and with their cures; earlier
    ones are shown on request."""
    audited = [number for number in sorted(by_iteration, reverse=True) if by_iteration[number]]
    for place, number in enumerate(audited):
        findings = by_iteration[number]
        name = f"Iteration {number}" if number else "The seed"
        parts = [_counted(name, findings), *map(_failure, _failed(findings)), _table(findings)]
        if place == 0:
            yield from parts
        else:
            yield Details(f"{name}: {len(_failed(findings))} of {len(findings)} failed", parts)


def _failed(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.failed]


def _counted(name: str, findings: Sequence[Finding]) -> Paragraph:
    failed, undecided = len(_failed(findings)), sum(f.undecided for f in findings)
    told = f"{name}: {len(findings)} figures were looked at; "
    told += f"{failed} break their thresholds" if failed else "none breaks its threshold"
    if undecided:
        told += f", and for {undecided} there was too little to tell"
    return Paragraph(f"{told}.", "bad" if failed else "good")


def _failure(finding: Finding) -> Paragraph:
    cure = f" What to do: {finding.cure}" if finding.cure else ""
    return Paragraph(f"{finding.name} ({finding.subject}): {finding.words}{cure}", "bad")


def _table(findings: Sequence[Finding]) -> Table:
    """Return what was looked at: what failed, then what is undecided, then the rest."""
    columns = [
        Column("state"),
        Column("what"),
        Column("of"),
        Column("figure", "number"),
        Column("held to", "number"),
        Column("n", "number"),
        Column("meaning"),
    ]
    ordered = sorted(findings, key=lambda f: (not f.failed, not f.undecided))
    return Table(columns, [_row(finding) for finding in ordered], "All figures.", wordy=True)


def _row(f: Finding) -> list[Cell]:
    state = "failed" if f.failed else "undecided" if f.undecided else "ok"
    what = f"{f.check}: {f.name}"
    return [state, what, f.subject, Estimate(f.figure, f.interval), f.threshold, f.n, f.words]


def _people(run: RunFigures) -> Section:
    path = run.folder.root / "review" / "agreement.json"
    parts = [*_tables_of("", read_json(path))] if path.exists() else []
    nothing = Paragraph("Nobody has looked at its judgments yet: `ste review` asks them to.", "note")
    return Section("People", "people", parts or [nothing])


def _tables_of(caption: str, value: Any) -> Iterable[Part]:
    """Yield tables of a JSON value: of a list of objects its rows, of an object its fields."""
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        names = list(dict.fromkeys(name for row in value for name in row))
        rows = [[_cell(row.get(name)) for name in names] for row in value]
        yield Table([_column(name, rows, i) for i, name in enumerate(names)], rows, caption)
    elif isinstance(value, Mapping):
        plain = {k: v for k, v in value.items() if not isinstance(v, Mapping) and not _is_rows(v)}
        if plain:
            fields = [[_words(k), _cell(v)] for k, v in plain.items()]
            yield Table([Column(""), Column("figure", "number")], fields, caption)
        for name in [key for key in value if key not in plain]:
            yield from _tables_of(" · ".join(filter(None, [caption, _words(name)])), value[name])


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _column(name: str, rows: Sequence[Sequence[Cell]], index: int) -> Column:
    number = all(not isinstance(row[index], str) for row in rows)
    return Column(_words(name), "number" if number else "text")


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _cell(value: Any) -> Cell:
    """Return a JSON value as a cell; two numbers are an interval."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, float) for v in value):
        return f"{value[0]:.3f} to {value[1]:.3f}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
