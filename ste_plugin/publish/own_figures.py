"""A run's figures as they may be shown to anybody: without raters' names and plugins' words."""

from dataclasses import replace

from msgspec.structs import replace as replace_record

from ste_plugin.audit.checks import CHECKS
from ste_plugin.forget.gate_words import is_built_in, without_plugins
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.review.results import Results


def for_strangers(run: RunFigures) -> RunFigures:
    """Return figures of which every word is the package's own.

    Checks, gates and sections of plugins may quote instructions; raters are people.
    """
    return replace(
        run,
        rounds=tuple(map(_round, run.rounds)),
        findings={
            number: {name: found for name, found in checks.items() if name in CHECKS}
            for number, checks in run.findings.items()
        },
        people=_people(run.people) if run.people else None,
    )


def _round(r: Round) -> Round:
    report = r.report
    if report and report.broken:
        report = replace_record(report, broken=tuple(without_plugins(report.broken)))
    if not r.gates:
        return replace(r, report=report)
    gates = {
        **r.gates,
        "broken": without_plugins(r.gates.get("broken", ())),
        "findings": [f for f in r.gates.get("findings", ()) if is_built_in(f)],
    }
    return replace(r, report=report, gates=gates)


def _people(said: Results) -> Results:
    names = {rater: f"rater {number}" for number, rater in enumerate(sorted(said.labels), start=1)}

    def both(pair: str) -> str:
        return " / ".join(names.get(name, "a rater") for name in pair.split(" / "))

    return replace_record(
        said,
        labels={names[rater]: n for rater, n in said.labels.items()},
        pairs_of_people={both(pair): found for pair, found in said.pairs_of_people.items()},
        judge_with={names.get(r, "a rater"): found for r, found in said.judge_with.items()},
    )
