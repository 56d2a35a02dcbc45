"""The command `ste audit`: what a judge learnt, and whether it can be trusted."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, open_run, say, show
from ste_plugin.cli.running import Json, Plugin

if TYPE_CHECKING:
    from ste_plugin.audit.finding import Finding

Config = Annotated[Path, typer.Argument(help="The run's YAML.")]
Iteration = Annotated[
    int | None,
    typer.Option(
        "--iteration", metavar="NUMBER", help="Up to which one; by default the last trained."
    ),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="A check; by default all.")
]


@app.command()
def audit(
    config: Config,
    iteration: Iteration = None,
    only: Only = None,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Examine what a run's judge learnt; end with 0 where every figure keeps its threshold."""
    from ste_plugin.audit.run_audit import audit_run, conclude

    with open_run(config, plugin or [], quiet=as_json) as context:
        findings = audit_run(context, iteration or 0, only or ())
    if as_json:
        show({"findings": [finding.to_dict() for finding in findings]})
    else:
        _say_findings(findings)
    conclude(findings)


def _say_findings(findings: "Sequence[Finding]") -> None:
    for finding in findings:
        mark = "FAILED" if finding.failed else "ok"
        say(f"{mark:<7}{finding.check}: {finding.name} ({finding.subject}): {finding.words}")
