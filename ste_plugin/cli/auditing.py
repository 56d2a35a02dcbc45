"""The command `ste audit`: what a judge learnt, and whether it can be trusted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ste_plugin.cli.app import app, open_existing_run, say, show
from ste_plugin.cli.running import Json, Plugin
from ste_plugin.cli.trusting import AtLeast, Labels, OfPeople, OneLook, audit_by_labels
from ste_plugin.errors import ConfigError, SteError

if TYPE_CHECKING:
    from ste_plugin.audit.finding import Finding
    from ste_plugin.context import RunContext

Run = Annotated[
    Path | None,
    typer.Argument(help="The run's folder, or its config; with --labels also an evaluation."),
]
Iteration = Annotated[
    int | None,
    typer.Option(
        "--iteration",
        metavar="NUMBER",
        min=0,
        help="Up to which one; by default the last trained. 0 is the seed.",
    ),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="A check; by default all.")
]


def _of_data(name: str, metavar: str, help_text: str) -> Any:
    """Return an option for data that somebody trained on, without a run."""
    return typer.Option(name, metavar=metavar, help=help_text, rich_help_panel="Without a run")


ProbeNames = Annotated[
    list[str] | None,
    typer.Option(
        "--probe", metavar="NAME", help="A probe of the check `probes`; by default audit.probes."
    ),
]
Pairs = Annotated[
    int | None,
    typer.Option(
        "--pairs",
        metavar="NUMBER",
        min=1,
        help="Most pairs that the check `probes` asks about; by default audit.pairs.",
    ),
]
Benchmark = Annotated[
    list[str] | None,
    _of_data("--benchmark", "NAME", "A benchmark (`ste tasks list`), or a file of prompts."),
]
Against = Annotated[
    str | None,
    _of_data("--against", "DATA", "A file, folder or pattern of training data: are they in it?"),
]
Form = Annotated[
    str,
    _of_data(
        "--form", "FORM", "How its rows hold what is asked (plain, openai, …); by default told."
    ),
]
Column = Annotated[
    str, _of_data("--column", "NAME", "Its column of prompts or turns; by default told.")
]


@app.command()
def audit(
    run: Run = None,
    iteration: Iteration = None,
    only: Only = None,
    probe: ProbeNames = None,
    pairs: Pairs = None,
    plugin: Plugin = None,
    as_json: Json = False,
    benchmark: Benchmark = None,
    against: Against = None,
    form: Form = "",
    column: Column = "",
    labels: Labels = None,
    at_least: AtLeast = None,
    of_people: OfPeople = None,
    one_look: OneLook = False,
) -> None:
    """Examine what a run's judge learnt: 0 where it keeps thresholds, 8 where not, 9 undecided.

    Undecided: nothing fails, and no figure that is held to a threshold surely keeps it. 6 where a
    plugin's check has a mistake, and nothing fails. With --labels: whether a judge can be trusted,
    by what people say (0), or not (8), or whether there are too few labels to tell (9).
    """
    amount = {"--probe": probe, "--pairs": pairs}
    if benchmark or against:
        from ste_plugin.cli.auditing_data import audit_data

        of_run = {"--iteration": iteration, "--only": only, "--labels": labels} | amount
        _refuse(of_run, "with --benchmark and --against", "which no run is needed for")
        audit_data(run, benchmark or [], against, form, column, plugin or [], as_json=as_json)
        return
    if run is None:
        raise ConfigError(
            "ste audit: found nothing to examine; expected a run's folder or config, or "
            "--benchmark with --against."
        )
    _refuse(
        {"--form": form or None, "--column": column or None},
        "with a run",
        "which has no data of others",
    )
    if labels or (only and "probes" not in only):
        _refuse(amount, f"with {'--labels' if labels else '--only'}", "so that no probe is asked")
    asked = (at_least, of_people, one_look)
    if audit_by_labels(run, iteration, labels, *asked, leave_out=only, as_json=as_json):
        return
    given = {"probes": probe and tuple(probe), "pairs": pairs}
    audit_of_run(run, iteration, only or [], plugin or [], given, as_json=as_json)


def _refuse(options: Mapping[str, object], beside: str, why: str) -> None:
    """Raise ConfigError for options that are given and would not be read."""
    if found := [name for name, value in options.items() if value is not None]:
        raise ConfigError(
            f"ste audit: found {' and '.join(found)} {beside}, {why}; expected one or the other. "
            "Leave one out."
        )


def audit_of_run(
    run: Path,
    iteration: int | None,
    only: list[str],
    plugins: list[Path],
    amount: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Make the checks of a run, print what they found, and end with its exit code.

    `amount`: settings of `audit` that stand for the config's, where they are not None.
    """
    from ste_plugin.audit import printing, run_audit

    findings: list[Finding] = []
    mistakes: list[SteError] = []
    with open_existing_run(run, plugins, quiet=as_json) as opened:
        context = _with_amount(opened, amount)
        number = run_audit.find_last_trained(context) if iteration is None else iteration
        run_audit.check_iteration(context, number)
        shipped = run_audit.find_shipped(context.folder)
        if not as_json:
            say(f"{run}: {_which(number, shipped)}\n")
        for found in run_audit.audit_checks(context, number, only, mistakes):
            findings += found
            for line in () if as_json else printing.format_findings(found):
                say(line)
    if as_json:
        shown = [finding.to_dict() for finding in findings]
        show({"iteration": number, "shipped": shipped, "findings": shown})
    run_audit.conclude(findings, mistakes)
    if not as_json:
        say(printing.summarize(findings))


def _with_amount(context: "RunContext", amount: Mapping[str, Any]) -> "RunContext":
    """Return a context whose config asks as much as the command line says.

    Raises: ConfigError for a probe that there is none of.
    """
    from ste_plugin.plugins.manager import find_contribution

    for name in amount["probes"] or ():
        find_contribution(context.plugins, "ste_probes", name, "--probe")
    given = {key: value for key, value in amount.items() if value is not None}
    audit = context.config.audit.model_copy(update=given)
    return replace(context, config=context.config.model_copy(update={"audit": audit}))


def _which(number: int, shipped: int | None) -> str:
    """Return which iteration is examined, and how to examine the one that the run ships."""
    from ste_plugin.evaluation.shipped import judge_name

    names = [judge_name(number), judge_name(shipped)]
    if shipped in (None, number):
        return names[0]
    return f"{names[0]}. The run ships {names[1]}; examine it: --iteration {shipped}"
