"""The audit of a run: every check in turn, their findings kept in `audit/findings.json`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ste_plugin.audit.collapse import check_collapse
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.gates import read_findings as read_gates
from ste_plugin.context import RunContext
from ste_plugin.errors import ConfigError, Inconclusive, NotTrusted, did_you_mean
from ste_plugin.storage.jsonl import read_json, replace_json
from ste_plugin.storage.run_layout import RunLayout

Check = Callable[[RunContext, int], Iterable[Finding]]
"""Examines a run up to an iteration. What it is told of and cannot be had is a DataError."""

CHECKS: dict[str, Check] = {"collapse": check_collapse, "gates": read_gates}
"""Name → check, in the order in which they are made and shown."""


def audit_run(context: RunContext, iteration: int, only: Sequence[str] = ()) -> list[Finding]:
    """Make the checks of a run, by default all; return and keep what they found.

    Findings of checks that were made before, and are not made now, stay in the file.
    Raises: ConfigError for a check that there is none of.
    """
    for name in only:
        if name not in CHECKS:
            raise ConfigError(
                f"--only: no check {name!r}.{did_you_mean(name, CHECKS)} There are: "
                f"{', '.join(CHECKS)}."
            )
    found = {name: list(CHECKS[name](context, iteration)) for name in only or CHECKS}
    keep(context.folder, iteration, found)
    return [finding for findings in found.values() for finding in findings]


def findings_path(folder: RunLayout) -> Path:
    """Return the file of a run's findings."""
    return folder.audit / "findings.json"


def keep(folder: RunLayout, iteration: int, found: Mapping[str, Sequence[Finding]]) -> None:
    """Write the findings of an iteration's checks in place of earlier ones of the same checks."""
    by_iteration = read_findings(folder)
    by_check = by_iteration.setdefault(iteration, {})
    by_check.update({name: list(findings) for name, findings in found.items()})
    rows = {
        str(number): {name: [f.to_dict() for f in findings] for name, findings in checks.items()}
        for number, checks in sorted(by_iteration.items())
    }
    replace_json(findings_path(folder), rows)


def read_findings(folder: RunLayout) -> dict[int, dict[str, list[Finding]]]:
    """Return iteration → check → its findings; empty where no audit was made."""
    path = findings_path(folder)
    if not path.exists():
        return {}
    return {
        int(number): {
            name: [Finding.from_dict(row) for row in rows] for name, rows in checks.items()
        }
        for number, checks in read_json(path).items()
    }


def conclude(findings: Sequence[Finding]) -> None:
    """Raise NotTrusted where a finding failed, Inconclusive where none could be computed."""
    if failed := [finding for finding in findings if finding.failed]:
        lines = [f"  {f.name} ({f.subject}): {f.words} {f.cure}".rstrip() for f in failed]
        raise NotTrusted(
            "\n".join(
                [
                    f"NOT TRUSTED: {len(failed)} of {len(findings)} figures break "
                    "their thresholds:",
                    *lines,
                ]
            )
        )
    if all(finding.undecided for finding in findings):
        raise Inconclusive("INCONCLUSIVE: nothing could be computed; see the figures above.")
