"""The stages of an iteration: its data set, its training, its evaluation, each done once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.axolotl.run_config import check_own_block, read_recipe
from ste_plugin.config import ModelConfig
from ste_plugin.context import Iteration, RunContext
from ste_plugin.engines.identity import model_path
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.evaluation.plan import plan_evaluations
from ste_plugin.fitting.catalogue import find_recipe
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.plugins.manager import contributed_folders
from ste_plugin.storage.dataset_manifest import read_manifest, row_format_of_rl
from ste_plugin.storage.training_manifest import find_trained_model

_REPORTED = ("overall", "sections", "subsets", "n")


@contextmanager
def timed(context: RunContext, stage: str, iteration: int | None) -> Iterator[None]:
    """Log what a stage took, whether it ended well or not: resumed work adds up."""
    began = time.monotonic()
    try:
        yield
    finally:
        seconds = round(time.monotonic() - began, 1)
        context.progress.event(stage, iteration=iteration, seconds=seconds)


def stages_of(context: RunContext) -> range:
    """Return the stages of an iteration, from 1: one a recipe."""
    return range(1, len(context.config.training.recipe) + 1)


def next_stage(context: RunContext, number: int) -> int:
    """Return the first stage of an iteration that has not been trained, or the last."""
    places = {stage: context.folder.iteration(number, stage) for stage in stages_of(context)}
    waiting = [s for s, place in places.items() if find_trained_model(place / "model") is None]
    return waiting[0] if waiting else stages_of(context)[-1]


def judge_of(context: RunContext, number: int, stage: int | None = None) -> ModelConfig:
    """Return the judge that a stage of iteration `number` produced, by default the last; 0 is the seed.

    Raises: DataError where that stage has not been trained.
    """
    seed = context.config.judge
    if number == 0:
        return seed.model_copy(update={"model": model_path(seed, context.base)})
    folder = context.folder.iteration(number, stage or stages_of(context)[-1])
    final = find_trained_model(folder / "model")
    if final is None:
        raise DataError(
            f"{folder / 'model'}: no trained model there (no trained.json). Run `ste train` first."
        )
    options = {k: v for k, v in seed.options.items() if k != "revision"}
    return seed.model_copy(update={"model": str(final), "options": options})


def judge_before(context: RunContext, number: int, stage: int) -> ModelConfig:
    """Return the judge trained in the stage before, or in the iteration before."""
    return judge_of(context, number, stage - 1) if stage > 1 else judge_of(context, number - 1)


def generate(context: RunContext, number: int, stage: int = 1) -> Path:
    """Return the manifest of a stage's data set; its judge is the one trained before."""
    check_servable(context)
    iteration = iteration_of(context, number, stage)
    with timed(context, "generate", number):
        manifest: Path = context.plugins.hook.ste_generate_dataset(iteration=iteration)
    context.models.close()  # training needs all memory
    return manifest


def iteration_of(context: RunContext, number: int, stage: int) -> Iteration:
    """Return a stage of an iteration, with its judge and the rows that its recipe trains on."""
    rows = rows_of_recipes(context)[stage - 1]
    return Iteration(number, context, judge_before(context, number, stage), stage, rows)


def rows_of_recipes(context: RunContext) -> list[str]:
    """Return the row format that each recipe trains on.

    Raises: ConfigError for a recipe that is none, or that trains on rows which are not made, or whose
    block `ste:` is wrong.
    """
    found: list[str] = []
    for name in context.config.training.recipe:
        path = recipe_of(context, name)
        recipe, made = read_recipe(path), context.config.dataset.formats
        check_own_block(recipe, path)
        rows = row_format_of_rl(recipe.get("rl"), f"{path}: ")
        if made and rows not in made:
            raise ConfigError(
                f"dataset.formats: found {', '.join(made)}, but the recipe {name} trains on {rows} rows. Add "
                f"{rows}, or choose another training.recipe."
            )
        found.append(rows)
    return found


def check_servable(context: RunContext) -> None:
    """Raise ConfigError for a judge that no trained one can follow."""
    config = context.config
    if config.iterations > 1 and config.judge.engine == "http":
        raise ConfigError(
            "judge.engine: http cannot judge with the model trained in iteration 1, as your server "
            "goes on serving the seed. Set judge.engine: serve (a vLLM server that the run starts with "
            "whichever model it needs), vllm or local (the generator may stay http), or iterations: 1."
        )


def train(context: RunContext, number: int, stage: int = 1) -> Path:
    """Return the folder of the judge trained on a stage's data set, merged.

    Raises: DataError where there is no data set, or one in another judge format.
    """
    config = context.config
    folder = context.folder.iteration(number, stage)
    manifest = folder / "dataset" / "manifest.json"
    if not manifest.exists():
        raise DataError(f"{manifest}: no data set there. Run `ste generate` first.")
    _check_format(context, manifest)
    goes_on = stage > 1 or config.training.start_from == "previous"
    base = judge_before(context, number, stage) if goes_on else judge_of(context, 0)
    recipe = recipe_of(context, config.training.recipe[stage - 1])
    context.progress.say(
        f"iteration {number}: axolotl trains {recipe.stem} (log: {axolotl.log_of(folder / 'model')})"
    )
    with timed(context, "train", number):
        return axolotl.train(
            recipe, model=base.model, manifest=manifest,
            output=folder / "model", seed=config.seed, host=config.hosts.train,
        )  # fmt: skip


def _check_format(context: RunContext, manifest: Path) -> None:
    made, now = read_manifest(manifest).judge_format["version"], context.judge_format.version
    if made != now:
        raise DataError(
            f"{manifest}: its prompts are in the format {made}, but the judge would be asked in {now}. "
            "Set the format back, or remove this folder and generate again."
        )


def recipe_of(context: RunContext, name: str) -> Path:
    """Return the path of a recipe: a file beside the config, or one by its name."""
    beside = context.base / name
    if beside.is_file():
        return beside
    return find_recipe(
        name, contributed_folders(context.plugins, "ste_recipe_dirs"), "training.recipe"
    )


def evaluate(context: RunContext, number: int) -> dict[str, Any]:
    """Return name of the pairs or benchmark → lm-eval's results for an iteration's judge."""
    model, results = judge_of(context, number).model, {}
    for name, (task, settings) in plan_evaluations(context).items():
        who = f"iteration {number}" if number else "seed"
        context.progress.say(f"{who}: lm-eval measures the judge on {name}")
        with timed(context, f"eval {name}", number):
            results[name] = lm_eval.evaluate(
                model, context.folder.iteration(number) / "eval" / name,
                settings=settings, task=task, task_dirs=contributed_folders(context.plugins, "ste_task_dirs"),
                config=context.config.evaluation, host=context.config.hosts.eval,
            )  # fmt: skip
    return results
