"""The command `ste eval`: measure a run's judge, or any judge; or show what was measured."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json, Number, Plugin
from ste_plugin.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from ste_plugin.config import EvaluationConfig
    from ste_plugin.lm_eval_tasks.settings import JudgeSettings

OptionalConfig = Annotated[
    Path | None,
    typer.Argument(help="A run's YAML (with --table also its folder); or give --model."),
]
Table = Annotated[
    bool, typer.Option("--table", help="Measure nothing: one line for every judge measured.")
]


def _without_run(help_text: str, *names: str, **more: Any) -> Any:
    """Return an option that says what to measure without a run."""
    return typer.Option(*names, help=help_text, rich_help_panel="Without a run", **more)


Model = Annotated[str | None, _without_run("Measure this folder, hub id or served model.")]
Task = Annotated[str, _without_run("Which benchmark: `ste tasks list`.")]
Pairs = Annotated[
    Path | None, _without_run("Its pairs, a file or folder; by default from the hub.")
]
Columns = Annotated[
    str, _without_run("What its columns are called: prompt=question,chosen=good,rejected=bad.")
]
Format = Annotated[
    str | None,
    _without_run("Judge format; by default its folder's own, else criteria.", "--format"),
]
Out = Annotated[
    Path | None, _without_run("By default evaluations/MODEL/TASK, as mine-iter-02/ste_local.")
]
Backend = Annotated[str, _without_run("lm-eval's --model: hf, vllm, local-chat-completions, …")]
ModelArgs = Annotated[str, _without_run("lm-eval's --model_args: KEY=VALUE,… or JSON.")]
JudgeArgs = Annotated[
    str, _without_run("How it judges, as STE_JUDGE_*: votes=8,force=1,too_long=drop.")
]
Limit = Annotated[int | None, _without_run("Pairs.", min=1)]
TemplateKwargs = Annotated[
    str, _without_run("What the chat template is given: enable_thinking=false, or JSON.")
]


@app.command("eval")
def evaluate(
    config: OptionalConfig = None,
    iteration: Number = None,
    table: Table = False,
    plugin: Plugin = None,
    as_json: Json = False,
    model: Model = None,
    task: Task = "ste_local",
    data: Pairs = None,
    columns: Columns = "",
    judge_format: Format = None,
    out: Out = None,
    backend: Backend = "hf",
    model_args: ModelArgs = "",
    judge_args: JudgeArgs = "",
    limit: Limit = None,
    chat_template_kwargs: TemplateKwargs = "",
) -> None:
    """Measure a judge with lm-eval: a run's (iteration 0 is the seed), or any with --model."""
    if model is not None:
        if config is not None:
            raise ConfigError(
                f"ste eval: found both {config} and --model {model}; expected one of them. Leave "
                "one out."
            )
        options = TaskOptions(
            task,
            data,
            judge_format,
            limit,
            judge_args,
            tuple(plugin or []),
            chat_template_kwargs,
            columns,
        )
        measure_model(model, options, parse_backend(backend, model_args), out, as_json)
    elif config is None:
        raise ConfigError(
            "ste eval: found nothing to measure; expected a run's config, or --model with --task "
            "and --data."
        )
    elif table:
        show_table(config, as_json)
    else:
        measure_run(config, iteration, plugin or [], as_json)


def measure_run(config: Path, iteration: int | None, plugin: list[Path], as_json: bool) -> None:
    """Measure an iteration on the run's dev and test pairs, given pairs and benchmarks."""
    from ste_plugin.cli.app import open_run
    from ste_plugin.evaluation.report import COLUMNS, number_text
    from ste_plugin.lm_eval_tasks.figures import pairs_in_words
    from ste_plugin.run import stages
    from ste_plugin.run.open_run import find_next_iteration

    with open_run(config, plugin, quiet=as_json) as context:
        number = find_next_iteration(context) if iteration is None else iteration
        results = stages.evaluate(context, number)
    if as_json:
        show(results)
        return
    for name, measured in results.items():
        overall = measured["overall"]
        figures = ", ".join(f"{h} {number_text(overall.get(k))}" for h, k in COLUMNS.items())
        say(f"{name}, {pairs_in_words(measured)}: {figures}")


@dataclass(frozen=True)
class TaskOptions:
    """What a judge that belongs to no run is measured on, as the command line says it."""

    task: str
    data: Path | None
    judge_format: str | None
    limit: int | None
    judge_args: str
    plugins: tuple[Path, ...]
    chat_template_kwargs: str
    columns: str = ""

    def settings(self, model: str, revision: str, task_dirs: list[Path]) -> "JudgeSettings":
        """Return the judge's settings; --judge-args win, then the task's own, then the options,
        then what a published judge's folder, or its revision on the hub, presets.

        Raises: ConfigError for a task that does not exist or a setting that is wrong.
        """
        from ste_plugin.lm_eval_tasks.setting_values import parse_columns
        from ste_plugin.lm_eval_tasks.settings import DEFAULT_FORMAT, JudgeSettings
        from ste_plugin.storage.resources import find_task

        options = {"format": self.judge_format, "chat_template_kwargs": self.chat_template_kwargs}
        preset = presets(model, self.plugins, options, revision)
        own = JudgeSettings(
            self.data,
            self.judge_format or DEFAULT_FORMAT,
            limit=self.limit,
            plugins=self.plugins,
            chat_template_kwargs=parse_args(self.chat_template_kwargs, "--chat-template-kwargs"),
            columns=parse_columns("COLUMNS", self.columns),
        )
        given = judge_metadata(parse_args(self.judge_args, "--judge-args"))
        metadata = judge_metadata(preset) | find_task(self.task, task_dirs).metadata | given
        return JudgeSettings.read(own.environment(), metadata)


def measure_model(
    model: str, options: TaskOptions, config: "EvaluationConfig", out: Path | None, as_json: bool
) -> None:
    """Measure a judge that belongs to no run.

    Raises: ConfigError where, without `out`, this would replace another evaluation.
    """
    from ste_plugin.config import ProgramConfig
    from ste_plugin.evaluation.report import judge_line
    from ste_plugin.evaluation.shipped import folder_name
    from ste_plugin.lm_eval_tasks import runner as lm_eval
    from ste_plugin.lm_eval_tasks.measurement import refuse_to_replace
    from ste_plugin.lm_eval_tasks.orders import weights_revision
    from ste_plugin.plugins.manager import contributed_folders, plugin_manager

    task_dirs = contributed_folders(plugin_manager(options.plugins), "ste_task_dirs")
    name = folder_name(str(Path(model).resolve()))  # `..` has no name of its own
    place = out or Path("evaluations") / name / options.task
    settings = options.settings(model, weights_revision(config), task_dirs)

    def keep_others() -> None:
        if out is None:
            refuse_to_replace(place / "results.json", model, settings)

    results = lm_eval.evaluate(
        model,
        place,
        settings=settings,
        task=options.task,
        task_dirs=task_dirs,
        config=config,
        host=ProgramConfig(),
        announce=keep_others,
    )
    if as_json:
        show(results)
        return
    print_table([judge_line(name, options.task, results)])
    say(f"Every figure: {place / 'results.json'}")


def presets(
    model: str, plugins: Sequence[Path], given: dict[str, Any], revision: str
) -> dict[str, Any]:
    """Return the settings that a judge's folder presets, but those that are given.

    Raises: ConfigError where it names a format that is not known here, and none is given.
    """
    from ste_plugin.judging.published import preset_settings
    from ste_plugin.plugins.manager import contributions, plugin_manager

    known = contributions(plugin_manager(plugins), "ste_judge_formats")
    any_name = given.get("format")
    found = preset_settings(model, None if any_name else known, revision)
    if any_name and any_name != found.get("format"):
        found.pop("max_new_tokens", None)  # another format has a length of its own
    return {name: value for name, value in found.items() if not given.get(name)}


def parse_backend(name: str, model_args: str) -> "EvaluationConfig":
    """Return lm-eval's backend with its arguments, as `parse_args` reads them."""
    from ste_plugin.config import EvaluationConfig
    from ste_plugin.lm_eval_tasks.orders import at_revision

    arguments = parse_args(model_args, "--model-args")
    return at_revision(EvaluationConfig(backend=name, model_args=arguments))


def judge_metadata(judge_args: dict[str, Any]) -> dict[str, Any]:
    """Return settings as a task's metadata. Raises: ConfigError for a name that is none."""
    from ste_plugin.lm_eval_tasks.settings import JudgeSettings

    known = [field.name for field in fields(JudgeSettings)]
    if unknown := [name for name in judge_args if name not in known]:
        raise ConfigError(
            f"--judge-args: found {unknown[0]!r}.{did_you_mean(unknown[0], known)} Expected some "
            f"of {', '.join(known)}."
        )
    return {f"judge_{name}": value for name, value in judge_args.items()}


def show_table(config: Path, as_json: bool) -> None:
    """Print one line for each judge of a run and each of its evaluations.

    `config` is the run's config, or its folder.
    """
    from ste_plugin.evaluation.judges import iterations_at
    from ste_plugin.evaluation.report import judge_line
    from ste_plugin.evaluation.shipped import judge_label
    from ste_plugin.storage.config_file import read_config

    root = config if config.is_dir() else config.resolve().parent / read_config(config).run
    lines = [
        judge_line(judge_label(number), name, evaluation.results)
        for number, evaluations in iterations_at(root).items()
        for name, evaluation in evaluations.items()
    ]
    show(lines) if as_json else print_table(lines)


def print_table(lines: list[dict[str, Any]]) -> None:
    """Print judges line by line."""
    from ste_plugin.evaluation.report import judges_table
    from ste_plugin.progress import make_console

    make_console(pipe_width=160).print(judges_table(lines))


def parse_args(text: str, where: str) -> dict[str, Any]:
    """Return the arguments of an option, which come as KEY=VALUE,… or as JSON.

    Raises: ConfigError where they come as neither, or hold a secret.
    """
    import yaml

    from ste_plugin.storage.config_file import refuse_secrets
    from ste_plugin.text import safe_yaml

    try:
        if text.startswith("{"):
            arguments = dict(json.loads(text))
        else:
            pairs = [part.split("=", 1) for part in text.split(",") if part]
            arguments = {key.strip(): safe_yaml.load(value) for key, value in pairs}
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{where}: found {text!r}; expected KEY=VALUE,KEY=VALUE or a JSON object."
        ) from error
    refuse_secrets(arguments, where)
    return arguments
