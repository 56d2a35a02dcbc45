"""The command `ste eval`: measure a run's judge, or any judge; or show what was measured."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json, Number, Plugin
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    from ste_plugin.config import EvaluationConfig
    from ste_plugin.lm_eval_tasks.settings import JudgeSettings

Config = Annotated[
    Path | None,
    typer.Argument(help="A run's YAML (with --table also its folder); or give --model."),
]
Lines = Annotated[
    bool, typer.Option("--table", help="Measure nothing: one line for every judge measured.")
]


def _alone(told: str, *names: str, **more: Any) -> Any:
    """Return an option that says what to measure without a run."""
    return typer.Option(*names, help=told, rich_help_panel="Without a run", **more)


Model = Annotated[str | None, _alone("Measure this folder, hub id or served model.")]
Task = Annotated[str, _alone("Which benchmark: `ste tasks list`.")]
Pairs = Annotated[Path | None, _alone("Its pairs, a file or folder; by default from the hub.")]
Format = Annotated[str, _alone("Judge format.", "--format")]
Out = Annotated[Path | None, _alone("By default evaluations/MODEL/TASK.")]
Backend = Annotated[str, _alone("lm-eval's --model: hf, vllm, local-chat-completions, …")]
ModelArgs = Annotated[str, _alone("lm-eval's --model_args: KEY=VALUE,… or JSON.")]
JudgeArgs = Annotated[str, _alone("How it judges, as STE_JUDGE_*: votes=8,force=1,too_long=drop.")]
Limit = Annotated[int | None, _alone("Pairs.", min=1)]


@app.command("eval")
def evaluate(
    config: Config = None, iteration: Number = None, table: Lines = False, plugin: Plugin = None,
    as_json: Json = False, model: Model = None, task: Task = "ste_local", data: Pairs = None,
    form: Format = "criteria", out: Out = None, backend: Backend = "hf", model_args: ModelArgs = "",
    judge_args: JudgeArgs = "", limit: Limit = None,
) -> None:  # fmt: skip
    """Measure a judge with lm-eval: a run's (iteration 0 is the seed), or any model with --model."""
    from ste_plugin.config import EvaluationConfig
    from ste_plugin.lm_eval_tasks.settings import JudgeSettings

    if model is not None:
        if config is not None:
            raise ConfigError(
                f"ste eval: found both {config} and --model {model}; expected one of them. Leave one out."
            )
        settings = JudgeSettings(data, form, limit=limit, plugins=tuple(plugin or []))
        backend_config = EvaluationConfig(
            backend=backend, model_args=parsed(model_args, "--model-args")
        )
        measure(
            model, task, settings, parsed(judge_args, "--judge-args"), backend_config, out, as_json
        )
    elif config is None:
        raise ConfigError(
            "ste eval: found nothing to measure; expected a run's config, or --model with --task and --data."
        )
    elif table:
        show_table(root_of(config), as_json)
    else:
        measure_run(config, iteration, plugin or [], as_json)


def measure_run(config: Path, iteration: int | None, plugin: list[Path], as_json: bool) -> None:
    """Measure an iteration on the run's dev and test pairs, given pairs and benchmarks."""
    from ste_plugin.cli.app import opened
    from ste_plugin.evaluation.report import COLUMNS, number_text
    from ste_plugin.run import stages
    from ste_plugin.run.open_run import next_iteration

    with opened(config, plugin, quiet=as_json) as context:
        number = next_iteration(context) if iteration is None else iteration
        results = stages.evaluate(context, number)
    if as_json:
        show(results)
        return
    for name, found in results.items():
        told = ", ".join(f"{h} {number_text(found['overall'].get(k))}" for h, k in COLUMNS.items())
        say(f"{name} ({found['n']} pairs): {told}")


def measure(
    model: str, task: str, settings: "JudgeSettings", judge_args: dict[str, Any],
    config: "EvaluationConfig", out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure a judge that belongs to no run."""
    from ste_plugin.config import HostConfig
    from ste_plugin.evaluation.report import judge_line
    from ste_plugin.lm_eval_tasks import runner as lm_eval
    from ste_plugin.plugins.manager import contributed_folders, plugin_manager
    from ste_plugin.storage.resources import find_task

    task_dirs = contributed_folders(plugin_manager(settings.plugins), "ste_task_dirs")
    metadata = find_task(task, task_dirs).metadata | judge_metadata(judge_args)
    name = Path(model).resolve().name  # `..` has no name of its own
    out = out or Path("evaluations") / name / task
    found = lm_eval.evaluate(
        model, out, settings=type(settings).read(settings.environment(), metadata), task=task,
        task_dirs=task_dirs, config=config, host=HostConfig(),
    )  # fmt: skip
    if as_json:
        show(found)
        return
    print_table([judge_line(name, task, found)])
    say(f"Every figure: {out / 'results.json'}")


def judge_metadata(judge_args: dict[str, Any]) -> dict[str, Any]:
    """Return settings as a task's metadata. Raises: ConfigError for a name that is none."""
    from dataclasses import fields

    from ste_plugin.lm_eval_tasks.settings import JudgeSettings

    known = [field.name for field in fields(JudgeSettings)]
    if unknown := [name for name in judge_args if name not in known]:
        raise ConfigError(
            f"--judge-args: found {unknown[0]!r}; expected some of {', '.join(known)}."
        )
    return {f"judge_{name}": value for name, value in judge_args.items()}


def root_of(config: Path) -> Path:
    """Return the folder of the run that a config describes; a folder is that folder."""
    from ste_plugin.storage.config_file import read_config

    return config if config.is_dir() else config.resolve().parent / read_config(config).run


def show_table(root: Path, as_json: bool) -> None:
    """Print one line for each judge of a run and each of its evaluations."""
    from ste_plugin.evaluation.judges import iterations_at
    from ste_plugin.evaluation.report import judge_line, name_of

    lines = [
        judge_line(name_of(number), name, found.told)
        for number, evaluations in iterations_at(root).items()
        for name, found in evaluations.items()
    ]
    show(lines) if as_json else print_table(lines)


def print_table(lines: list[dict[str, Any]]) -> None:
    """Print judges line by line."""
    from rich.console import Console

    from ste_plugin.evaluation.report import judges_table

    console = Console(
        highlight=False, markup=False, emoji=False, width=None if Console().is_terminal else 160
    )
    console.print(judges_table(lines))


def parsed(text: str, where: str) -> dict[str, Any]:
    """Return the arguments of an option. Raises: ConfigError where they are neither form, or hold a secret."""
    import yaml

    from ste_plugin.storage.config_file import refuse_secrets
    from ste_plugin.text import safe_yaml

    try:
        if text.startswith("{"):
            found = dict(json.loads(text))
        else:
            pairs = [part.split("=", 1) for part in text.split(",") if part]
            found = {key.strip(): safe_yaml.load(value) for key, value in pairs}
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{where}: found {text!r}; expected KEY=VALUE,KEY=VALUE or a JSON object."
        ) from error
    refuse_secrets(found, where)
    return found
