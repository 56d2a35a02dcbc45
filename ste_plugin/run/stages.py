"""The stages of an iteration: its data set, its training, its evaluation, each done once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.axolotl.decision_checks import trains_by_both_orders
from ste_plugin.axolotl.launcher import check_launcher
from ste_plugin.axolotl.run_config import check_own_block, longest_row, read_recipe
from ste_plugin.config import EvaluationConfig, ModelConfig
from ste_plugin.context import Iteration, RunContext
from ste_plugin.dataset.verdict_rows import MIXED
from ste_plugin.engines.base import Place
from ste_plugin.engines.nested import ELSEWHERE, answering_model
from ste_plugin.engines.registry import resolve_engine
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.evaluation.plan import plan_evaluations
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.evaluation.trained_judges import find_judge as find_judge
from ste_plugin.evaluation.trained_judges import hub_revision
from ste_plugin.evaluation.trained_judges import stage_numbers as stage_numbers
from ste_plugin.fitting.catalogue import find_own_recipe, refusal
from ste_plugin.hosts.run_host import python_of
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.lm_eval_tasks.orders import at_revision
from ste_plugin.plugins.manager import contributed_folders, registered_files
from ste_plugin.run import gating
from ste_plugin.run.redo import set_aside_made_of
from ste_plugin.run.stale import drop_stale
from ste_plugin.storage.dataset_manifest import read_manifest, row_format_of_rl
from ste_plugin.storage.training_manifest import find_trained_model

DECISIONS = "decisions"
"""lm-eval's backend that asks vLLM's decisions endpoint."""


@contextmanager
def log_time(context: RunContext, stage: str, iteration: int | None) -> Iterator[None]:
    """Log the seconds that a stage took, failed or not: those of all starts are added up."""
    start = time.monotonic()
    try:
        yield
    finally:
        seconds = round(time.monotonic() - start, 1)
        context.progress.event(stage, iteration=iteration, seconds=seconds)


def find_next_stage(context: RunContext, number: int) -> int:
    """Return the first stage of an iteration that has not been trained, or the last."""
    stages = stage_numbers(context)
    return next((s for s in stages if not is_trained(context, number, s)), stages[-1])


def is_trained(context: RunContext, number: int, stage: int) -> bool:
    """Return whether a stage of an iteration has made its judge."""
    return find_trained_model(context.folder.iteration(number, stage) / "model") is not None


def find_previous_judge(context: RunContext, number: int, stage: int) -> ModelConfig:
    """Return the judge of the stage before, or of the last iteration that passed its gates.

    Raises: DataError where the iteration before was not trained, or not measured.
    """
    if stage > 1:
        return find_judge(context, number, stage - 1)
    return find_judge(context, find_judging(context, number))


def find_judging(context: RunContext, number: int) -> int:
    """Return the iteration whose judge judges in this one; 0 is the seed."""
    if not (context.folder.iteration(number - 1) / "gates.json").exists():
        find_judge(context, number - 1)  # that it is not trained is the first thing to say
    return gating.find_passed(context, number)


def generate(context: RunContext, number: int, stage: int = 1) -> Path:
    """Make a stage's data set with the judge of the stage before; return its manifest.

    Raises: ConfigError where it was made with a judge that changed gates rule out, or passed over.
    """
    check_servable(context)
    gating.check_judged_by(context, number)
    iteration = read_iteration(context, number, stage)
    with log_time(context, "generate", number):
        manifest: Path = context.plugins.hook.ste_generate_dataset(iteration=iteration)
    context.models.close()  # training needs all memory
    return manifest


def read_iteration(context: RunContext, number: int, stage: int) -> Iteration:
    """Return a stage of an iteration, with its judge and the rows that its recipe trains on."""
    rows, judge = read_row_formats(context)[stage - 1], find_previous_judge(context, number, stage)
    judged_by = find_judging(context, number) if stage == 1 else None
    recipe = context.config.training.recipe[stage - 1]
    return Iteration(
        number,
        context,
        judge,
        stage,
        rows,
        judged_by,
        by_both_orders=_by_both_orders(context, recipe),
        recipe_takes=longest_row(read_recipe(find_recipe_file(context, recipe))),
    )


def _by_both_orders(context: RunContext, name: str) -> bool:
    forced = context.config.judging.force_verdict
    recipe = read_recipe(find_recipe_file(context, name))
    return trains_by_both_orders(recipe, name, context.judge_format, force_verdict=forced)


def read_row_formats(context: RunContext) -> list[str]:
    """Return the row format that each recipe trains on.

    Raises: ConfigError for a file that is not a recipe, rows that are not made, a wrong `ste:`
    block, or verdict rows that there is nothing to mix into.
    """
    dataset, names = context.config.dataset, context.config.training.recipe
    rows = [_read_row_format(context, name) for name in names]
    if dataset.verdict_share and MIXED not in (dataset.formats or rows):
        raise ConfigError(
            f"dataset.verdict_share: found {dataset.verdict_share:g}, but {', '.join(names)} "
            f"trains on {', '.join(rows)} rows; expected {MIXED} rows, into which those of the "
            "letter alone are mixed. Choose such a recipe (`ste recipes`), or leave "
            "dataset.verdict_share out."
        )
    return rows


def _read_row_format(context: RunContext, name: str) -> str:
    path = find_recipe_file(context, name)
    recipe, formats = read_recipe(path), context.config.dataset.formats
    check_own_block(recipe, path)
    _by_both_orders(context, name)
    row_format = row_format_of_rl(recipe.get("rl"), f"{path}: ")
    if formats and row_format not in formats:
        raise ConfigError(
            f"dataset.formats: found {', '.join(formats)}, but the recipe {name} trains on "
            f"{row_format} rows. Add {row_format}, or choose another training.recipe."
        )
    return row_format


def check_trainable(context: RunContext) -> None:
    """Raise ConfigError for a recipe by which the judge could not be trained, or a launcher that
    could not start its processes."""
    paths = {n: find_recipe_file(context, n) for n in context.config.training.recipe}
    check_launcher(context.config.hosts.train, {n: read_recipe(p) for n, p in paths.items()})
    for path in paths.values():
        if problems := find_problems(context, path):
            raise ConfigError(refusal(path, problems))


def find_problems(context: RunContext, recipe: Path) -> list[str]:
    """Return why the run's judge could not be trained by a recipe, as far as that is told ahead."""
    seed = find_judge(context, 0)
    return axolotl.find_problems(recipe, seed, context.config.hosts.train, hub_revision(seed))


def check_servable(context: RunContext) -> None:
    """Raise ConfigError for a judge that a trained one cannot replace."""
    config = context.config
    engine = answering_model(config.judge).engine
    if engine in ELSEWHERE and (config.iterations > 1 or len(config.training.recipe) > 1):
        raise ConfigError(
            f"judge.engine: {engine} cannot judge with the model that was trained first, as your "
            "server keeps serving the seed. Set judge.engine: serve (a vLLM server that the run "
            "starts with whichever model it needs), vllm or local (the generator may stay http), "
            "or iterations: 1 and one training.recipe."
        )


def train(context: RunContext, number: int, stage: int = 1) -> Path:
    """Train a judge on a stage's data set; return the folder of the merged model.

    Raises: DataError where there is no data set, or one in another judge format to train on.
    """
    config, folder = context.config, context.folder.iteration(number, stage)
    manifest = folder / "dataset" / "manifest.json"
    if not manifest.exists():
        raise DataError(f"{manifest}: no data set there. Run `ste generate` first.")
    continues = stage > 1 or config.training.start_from == "previous"
    base = find_previous_judge(context, number, stage) if continues else find_judge(context, 0)
    recipe = find_recipe_file(context, config.training.recipe[stage - 1])
    log = axolotl.log_of(folder / "model")
    context.progress.say(f"iteration {number}: axolotl trains {recipe.stem} (log: {log})")
    with log_time(context, "train", number):
        given = axolotl.TrainingInputs(
            recipe,
            model=base.model,
            manifest=manifest,
            output=folder / "model",
            seed=config.seed,
            host=config.hosts.train,
            revision=hub_revision(base),
            files=registered_files(context.plugins),
        )
        return axolotl.train(given, partial(_begin_training, context, number, stage))


def _begin_training(context: RunContext, number: int, stage: int) -> None:
    """Check a data set's format, move what an earlier training led to, and tell where it is."""
    _check_format(context, number, stage)
    if old := set_aside_made_of(context.folder, number, stage):
        context.progress.event("trained again", iteration=number, old=old.name)
        context.progress.say(
            f"iteration {number}: trained again; what was made of the judge before is in {old}."
        )


def _check_format(context: RunContext, number: int, stage: int) -> None:
    manifest = context.folder.iteration(number, stage) / "dataset" / "manifest.json"
    written, current = read_manifest(manifest).judge_format["version"], context.judge_format.version
    if written != current:
        raise DataError(
            f"{manifest}: its prompts are in the format {written}, but the judge would be asked in "
            f"{current}. Set the format back, install the version that made them, or generate "
            f"again: `ste run CONFIG --from generate --iteration {number}`, which keeps the old "
            "output beside the new."
        )


def find_recipe_file(context: RunContext, name: str) -> Path:
    """Return the path of a recipe: a file beside the config, or one by its name."""
    return find_own_recipe(name, context.base, context.plugins)


def evaluate(context: RunContext, number: int) -> dict[str, Any]:
    """Measure an iteration's judge, and decide whether it passes its gates.

    Returns name of the pairs or benchmark → lm-eval's results.
    """
    model, results = find_judge(context, number), {}
    drop_stale(context, number)
    planned = plan_evaluations(context)
    server = find_server(context, model)
    if not _asks_a_server(context.config.evaluation):
        context.models.close()  # lm-eval loads the judge, which needs all memory
    with lm_eval.open_process(context.config.hosts.eval) as process:
        for name, (task, settings) in planned.items():
            words = f"{judge_label(number)}: lm-eval measures the judge on {name}"
            with log_time(context, f"eval {name}", number):
                results[name] = lm_eval.evaluate(
                    model.model,
                    context.folder.iteration(number) / "eval" / name,
                    settings=settings,
                    task=task,
                    task_dirs=contributed_folders(context.plugins, "ste_task_dirs"),
                    config=at_revision(context.config.evaluation, hub_revision(model)),
                    host=context.config.hosts.eval,
                    process=process,
                    server=server,
                    announce=partial(context.progress.say, words),
                )
    if number:
        gating.decide_gates(context, number)
    return results


def check_backend(context: RunContext) -> None:
    """Return if lm-eval has the run's backend, and a server to ask where that is `decisions`.

    Raises: ConfigError; HostError where lm-eval is not installed.
    """
    config, judge = context.config.evaluation, context.config.judge
    lm_eval.require_host(python_of(context.config.hosts.eval), config.backend)
    named = "base_url" in config.model_args
    if config.backend == DECISIONS and not named and not _is_served(context, judge):
        raise ConfigError(
            "evaluation.backend: decisions asks a server, and none is named. Let the run serve its "
            "judges (judge.engine: serve), or name the server that has them: "
            "evaluation.model_args: {base_url: …}."
        )


def _is_served(context: RunContext, judge: ModelConfig) -> bool:
    place = Place.of_run(context.config, context.base)
    return resolve_engine(judge, place).engine == "serve"


def _asks_a_server(config: EvaluationConfig) -> bool:
    return config.backend == DECISIONS or config.backend.endswith("completions")


def find_server(context: RunContext, judge: ModelConfig) -> Callable[[], str] | None:
    """Return what starts the run's own server of a judge, by which lm-eval measures it.

    The same server then samples for the next iteration. None where the judge has no such server, or
    where `evaluation` says which other one to ask or loads the judge by itself.
    """
    config = context.config.evaluation
    is_named = "base_url" in config.model_args
    if is_named or not _asks_a_server(config) or not _is_served(context, judge):
        return None
    return lambda: str(context.models.use(judge).start().base_url)  # type: ignore[attr-defined]
