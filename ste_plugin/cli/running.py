"""Commands that work on a run: init, run, generate, train, eval, status, demo."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, safe, say, show
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    from ste_plugin.context import IterationReport
    from ste_plugin.run.redo import Redo

Config = Annotated[Path, typer.Argument(help="The run's YAML; `ste init` writes one.")]
Plugin = Annotated[
    list[Path] | None, typer.Option("--plugin", help="A hooks.py that is not installed.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; no progress.")]
Number = Annotated[
    int | None, typer.Option("--iteration", min=0, help="Which one; by default the next to do.")
]

Part = Annotated[
    str,
    typer.Option("--part", help="Only answer part I of N (I/N), beside the jobs of an array."),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Redo from this stage on (pool, generate, train, eval); the old output is kept.",
    ),
]

_MAX_COLUMNS = 8
"""Kinds of pairs in a table; where there are more, as in RewardBench, they are in report.html."""


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("ste.yaml"),
) -> None:
    """Write a commented starter config."""
    from ste_plugin.run.starter import starter
    from ste_plugin.storage.durable import make_folder

    if path.exists():
        raise ConfigError(f"{path}: exists already; give another name: `ste init other.yaml`.")
    make_folder(path.parent)
    path.write_text(starter(), encoding="utf-8")
    say(
        f"Wrote {path}. Set judge.model there, and put your instructions beside it, into the file "
        f'that `instructions` names ({{"instruction": "…"}} a line). Then: ste doctor {path}, '
        f"ste run {path}"
    )


@app.command()
def run(
    config: Config,
    plugin: Plugin = None,
    as_json: Json = False,
    from_stage: From = None,
    iteration: Number = None,
) -> None:
    """Do the whole loop, or what is left of it: generate, train, evaluate, decide."""
    from ste_plugin.cli.app import open_run
    from ste_plugin.run import loop

    redo = redo_of(from_stage, iteration)
    with open_run(config, plugin or [], quiet=as_json, redo=redo) as context:
        show_report(context.folder.root, loop.run(context), as_json)


def redo_of(stage: str | None, iteration: int | None) -> "Redo | None":
    """Return what is to be redone, or None.

    Raises: ConfigError for an unknown stage, or an iteration without a stage.
    """
    from ste_plugin.run.redo import STAGES, Redo

    if stage is None and iteration is None:
        return None
    if stage not in STAGES:
        raise ConfigError(
            f"--from: expected one of {', '.join(STAGES)}, found {stage!r}; --iteration says from "
            "which iteration on."
        )
    return Redo(stage, 1 if iteration is None else iteration)


def show_report(root: Path, reports: "Sequence[IterationReport]", as_json: bool) -> None:
    """Print a finished run's tables, or its report as JSON."""
    from ste_plugin.evaluation import report as tables
    from ste_plugin.evaluation.gain import gain_of
    from ste_plugin.progress import make_console
    from ste_plugin.storage.config_file import read_run_yaml
    from ste_plugin.storage.jsonl import read_json
    from ste_plugin.storage.run_layout import RunLayout

    report = read_json(root / "report.json")
    gain = gain_of(root, report["best"], reports[-1].number)
    if as_json:
        show(report | {"gain": gain.to_dict() if gain else None})
        return
    console = make_console(pipe_width=132)
    names = [n for n in reports[0].evaluations if all(n in r.evaluations for r in reports)]
    for name in [n for n in names if n != "dev"] or names:
        console.print(tables.iterations_table(reports, name))
        if 1 < len(reports[0].evaluations[name]["subsets"]) <= _MAX_COLUMNS:
            console.print(tables.strategies_table(reports, name))
        if share := tables.easy_share(reports[0], name):
            console.print(share, soft_wrap=True)
        console.print()
    done = read_json(root / "pool" / "done.json")
    console.print(tables.pool_cost(done), soft_wrap=True)
    for line in (*tables.kept_out_lines(done), *tables.gates_lines(reports)):
        console.print(line, soft_wrap=True)
    console.print(tables.verdict_on(reports, report["best"], report["keep"]), soft_wrap=True)
    for line in gain.sentences() if gain else ():
        console.print(safe(line), soft_wrap=True)
    console.print(f"Judge: {report['model']}", soft_wrap=True)
    file = RunLayout(root).judge_format
    judge_format = file if file.exists() else read_run_yaml(root / "run.yaml").judging.format
    console.print(
        f"Use it:  ste judge {report['model']} --format {judge_format} --instruction '…' --a '…' "
        "--b '…'",
        soft_wrap=True,
    )
    console.print(f"Every figure: {root}/report.html", soft_wrap=True)


@app.command()
def generate(
    config: Config,
    iteration: Number = None,
    plugin: Plugin = None,
    as_json: Json = False,
    part: Part = "",
) -> None:
    """Make the next iteration's data set: pool, judgments, rows, manifest."""
    if part:
        if iteration is not None:
            raise ConfigError(
                "--iteration: a part (--part) is of what is asked next. Leave it out."
            )
        answer_part(config, part, plugin or [], as_json)
        return
    from ste_plugin.cli.app import open_run
    from ste_plugin.run import stages
    from ste_plugin.run.open_run import find_next_iteration
    from ste_plugin.run.redo import require_iteration

    with open_run(config, plugin or [], quiet=as_json) as context:
        number = find_next_iteration(context) if iteration is None else iteration
        require_iteration(context.config, number)
        manifest = stages.generate(context, number, stages.find_next_stage(context, number))
    show({"iteration": number, "manifest": str(manifest)}) if as_json else say(manifest)


def answer_part(config: Path, text: str, plugins: list[Path], as_json: bool) -> None:
    """Answer one part of what the run asks next, beside other processes."""
    from dataclasses import asdict

    from ste_plugin.cli.app import require_plugins
    from ste_plugin.run import part as parts

    part = parts.parse_part(text)
    require_plugins(config, plugins)
    found = parts.answer_part(config, plugins, part, quiet=as_json)
    if as_json:
        show(asdict(found))
        return
    say(f"part {text}: {found.completions} completions.")
    if found.stopped:
        say("The budget ended it. Raise budget.max_tokens_total or budget.max_minutes to go on.")
    elif found.left:
        say(
            f"{found.stage}: {found.left} samples were left to the other parts. Once these have "
            f"ended, go on: the parts again, or ste run {config}"
        )
    else:
        say(f"Nothing is left to ask for this data set. Go on: ste run {config}")


@app.command()
def train(
    config: Config, iteration: Number = None, plugin: Plugin = None, as_json: Json = False
) -> None:
    """Train the next iteration's judge with axolotl, merged and checked."""
    from ste_plugin.cli.app import open_run
    from ste_plugin.run import stages
    from ste_plugin.run.open_run import find_next_iteration
    from ste_plugin.run.redo import require_iteration

    with open_run(config, plugin or [], quiet=as_json) as context:
        number = find_next_iteration(context) if iteration is None else iteration
        require_iteration(context.config, number)
        model = stages.train(context, number, stages.find_next_stage(context, number))
    show({"iteration": number, "model": str(model)}) if as_json else say(model)


@app.command()
def status(
    run: Annotated[Path, typer.Argument(help="The run's folder, or its YAML.")],
    as_json: Json = False,
) -> None:
    """Show what of a run is done, and what comes next."""
    from ste_plugin.forget.find_run import folder_of
    from ste_plugin.run.status import read_status

    progress = read_status(folder_of(run))
    if as_json:
        show(progress)
        return
    for stage in (*progress["stages"], *progress["followed"]):
        say(f"{'done' if stage['done'] else 'open':>5}  {stage['stage']}  {stage['told']}")
    say(f"next: {progress['next']}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put model and run.")] = Path("runs/demo"),
    as_json: Json = False,
) -> None:
    """Make a judge from a 135M model on this machine: two iterations, no GPU, 20 to 35 minutes."""
    from ste_plugin.cli.app import open_run
    from ste_plugin.demo import prepare_demo
    from ste_plugin.run import loop
    from ste_plugin.screen import log_libraries
    from ste_plugin.storage.durable import make_folder

    make_folder(folder)
    with log_libraries(folder / "libraries.log"):
        config = prepare_demo(folder, lambda text: say(text, err=True))
        with open_run(config, [], quiet=as_json) as context:
            show_report(context.folder.root, loop.run(context), as_json)
