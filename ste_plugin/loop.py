"""The loop: generate → train → evaluate → decide, iteration after iteration, resumable anywhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ste_plugin.completion import trained_model
from ste_plugin.config import ModelConfig
from ste_plugin.engines.identity import model_path
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.hosts import axolotl, lm_eval
from ste_plugin.hosts.run_host import interpreter
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.manifest import read_manifest
from ste_plugin.pool import prepare_pool
from ste_plugin.recipe_book import find_recipe
from ste_plugin.resources import find_task
from ste_plugin.session import Iteration, IterationReport, Session
from ste_plugin.store import read_json, read_rows, replace_json

_REPORTED = ("overall", "sections", "subsets", "n")


@contextmanager
def timed(session: Session, stage: str, iteration: int) -> Iterator[None]:
    """Log what a stage took, whether it ended well or not: resumed work adds up."""
    began = time.monotonic()
    try:
        yield
    finally:
        seconds = round(time.monotonic() - began, 1)
        session.watch.event(stage, iteration=iteration, seconds=seconds)


def stages_of(session: Session) -> range:
    """Return the stages of an iteration, from 1: one a recipe."""
    return range(1, len(session.config.training.recipe) + 1)


def next_stage(session: Session, number: int) -> int:
    """Return the first stage of an iteration that has not been trained, or the last."""
    places = {stage: session.folder.iteration(number, stage) for stage in stages_of(session)}
    waiting = [s for s, place in places.items() if trained_model(place / "model") is None]
    return waiting[0] if waiting else stages_of(session)[-1]


def judge_of(session: Session, number: int, stage: int | None = None) -> ModelConfig:
    """Return the judge that a stage of iteration `number` produced, by default the last; 0 is the seed.

    Raises: DataError where that stage has not been trained.
    """
    seed = session.config.judge
    if number == 0:
        return seed.model_copy(update={"model": model_path(seed, session.base)})
    folder = session.folder.iteration(number, stage or stages_of(session)[-1])
    final = trained_model(folder / "model")
    if final is None:
        raise DataError(f"{folder}: no trained model there. Run `ste train` first.")
    options = {k: v for k, v in seed.options.items() if k != "revision"}
    return seed.model_copy(update={"model": str(final), "options": options})


def judge_before(session: Session, number: int, stage: int) -> ModelConfig:
    """Return the judge trained in the stage before, or in the iteration before."""
    return judge_of(session, number, stage - 1) if stage > 1 else judge_of(session, number - 1)


def generate(session: Session, number: int, stage: int = 1) -> Path:
    """Return the manifest of a stage's data set; its judge is the one trained before."""
    _check_servable(session)
    iteration = Iteration(number, session, judge_before(session, number, stage), stage)
    with timed(session, "generate", number):
        manifest: Path = session.plugins.hook.ste_generate_dataset(iteration=iteration)
    session.models.close()  # training needs all memory
    return manifest


def check_ahead(session: Session) -> None:
    """Find, before a token is paid for, what would stop a later stage.

    Raises: ConfigError for a missing recipe or a judge that cannot be replaced, HostError for a host
    that is not installed.
    """
    hosts = session.config.hosts
    _check_servable(session)
    for name in session.config.training.recipe:
        _recipe(session, name)
    for task in session.config.evaluation.tasks:
        find_task(task, session.plugins.hook.ste_task_dirs())
    axolotl.require_host(interpreter(hosts.train))
    lm_eval.require_host(interpreter(hosts.eval), session.config.evaluation.backend)


def _check_servable(session: Session) -> None:
    config = session.config
    if config.iterations > 1 and config.judge.engine == "http":
        raise ConfigError(
            "judge.engine: http cannot judge with the model trained in iteration 1, as your server "
            "goes on serving the seed. Set judge.engine: local (the generator may stay http), or "
            "iterations: 1."
        )


def train(session: Session, number: int, stage: int = 1) -> Path:
    """Return the folder of the judge trained on a stage's data set, merged.

    Raises: DataError where there is no data set, or one in another judge format.
    """
    config = session.config
    folder = session.folder.iteration(number, stage)
    manifest = folder / "dataset" / "manifest.json"
    if not manifest.exists():
        raise DataError(f"{manifest}: no data set there. Run `ste generate` first.")
    _check_format(session, manifest)
    goes_on = stage > 1 or config.training.start_from == "previous"
    base = judge_before(session, number, stage) if goes_on else judge_of(session, 0)
    recipe = _recipe(session, config.training.recipe[stage - 1])
    session.watch.say(
        f"iteration {number}: axolotl trains {recipe.stem} (log: {axolotl.log_of(folder / 'model')})"
    )
    with timed(session, "train", number):
        return axolotl.train(
            recipe, model=base.model, manifest=manifest,
            output=folder / "model", seed=config.seed, host=config.hosts.train,
        )  # fmt: skip


def _check_format(session: Session, manifest: Path) -> None:
    made, now = read_manifest(manifest).judge_format["version"], session.judge_format.version
    if made != now:
        raise DataError(
            f"{manifest}: its prompts are in the format {made}, but the judge would be asked in {now}. "
            "Set the format back, or remove this folder and generate again."
        )


def _recipe(session: Session, name: str) -> Path:
    beside = session.base / name
    if beside.is_file():
        return beside
    return find_recipe(name, session.plugins.hook.ste_recipe_dirs())


def evaluate(session: Session, number: int) -> dict[str, Any]:
    """Return name of the pairs or benchmark → lm-eval's results for an iteration's judge."""
    model, results = judge_of(session, number).model, {}
    for name, (task, settings) in measured(session).items():
        who = f"iteration {number}" if number else "seed"
        session.watch.say(f"{who}: lm-eval measures the judge on {name}")
        with timed(session, f"eval {name}", number):
            results[name] = lm_eval.evaluate(
                model, session.folder.iteration(number) / "eval" / name,
                settings=settings, task=task, task_dirs=session.plugins.hook.ste_task_dirs(),
                config=session.config.evaluation, host=session.config.hosts.eval,
            )  # fmt: skip
    return results


def measured(session: Session) -> dict[str, tuple[str, JudgeSettings]]:
    """Return name → lm-eval's task and its settings: held-out pairs, given pairs, benchmarks."""
    config, pool = session.config.evaluation, prepare_pool(session).files
    own = JudgeSettings(
        format=session.config.judging.format,
        force=session.config.judging.force_verdict,
        max_new_tokens=config.max_new_tokens,
        plugins=tuple(session.base / p for p in session.config.plugins),
    )
    others = replace(own, limit=config.limit, too_long=config.too_long)
    given = {name: session.base / path for name, path in config.pairs.items()}
    folder = session.base / config.data if config.data else None
    return (
        {name: (lm_eval.TASK, replace(own, data=path)) for name, path in pool.items()}
        | {name: (lm_eval.TASK, replace(others, data=path)) for name, path in given.items()}
        | {task: (task, replace(others, data=folder)) for task in config.tasks}
    )


def run(session: Session) -> list[IterationReport]:
    """Return the reports of the seed and of every iteration, having done what was not done yet."""
    check_ahead(session)
    prepare_pool(session)
    reports = [finished(session, number) for number in range(session.config.iterations + 1)]
    best = decide(reports, session.config.keep)
    kept = judge_of(session, best).model
    replace_json(
        session.folder.report,
        {"best": best, "model": kept, "keep": session.config.keep,
         "iterations": [report.to_dict() for report in reports]},
    )  # fmt: skip
    return reports


def finished(session: Session, number: int) -> IterationReport:
    """Return an iteration's report, read back where all of it is done.

    Benchmarks that the config names since then are measured.
    """
    done = session.folder.iteration(number) / "done.json"
    if done.exists():
        before = IterationReport.from_dict(read_json(done))
        if set(measured(session)) <= set(before.evaluations):
            return before
    elif number:
        for stage in stages_of(session):
            generate(session, number, stage)
            train(session, number, stage)
    results = evaluate(session, number)
    report = _report(session, number, results)
    replace_json(done, report.to_dict())
    _tell_observers(session, report)
    return report


def _report(session: Session, number: int, results: dict[str, Any]) -> IterationReport:
    folder = session.folder.iteration(number)
    counts = [_counts(session, number, stage) for stage in stages_of(session)] if number else []
    seconds = sum(
        row.get("seconds", 0.0)
        for _, row in read_rows(session.folder.events)
        if row.get("iteration") == number
    )
    return IterationReport(
        number=number,
        folder=str(folder),
        model=judge_of(session, number).model,
        evaluations={name: {k: found[k] for k in _REPORTED if k in found}
                     for name, found in results.items()},
        sampled=sum(c.get("judgments", 0) for c in counts),
        kept=sum(c.get("kept", {}).get("train", 0) for c in counts),
        tokens=sum(c.get("generated_tokens", 0) for c in counts),
        minutes=round(seconds / 60, 2),
    )  # fmt: skip


def _counts(session: Session, number: int, stage: int) -> dict[str, Any]:
    manifest = session.folder.iteration(number, stage) / "dataset" / "manifest.json"
    # a plugin's own stage may count nothing
    return dict(read_json(manifest).get("counts", {}))


def _tell_observers(session: Session, report: IterationReport) -> None:
    for observer in session.plugins.hook.ste_iteration_finished.get_hookimpls():
        try:
            observer.function(report)
        except Exception as error:  # an observer must not cost a finished iteration
            name = observer.plugin_name
            session.watch.event("observer failed", plugin=name, error=repr(error))
            session.watch.say(f"warning: plugin {name}: ste_iteration_finished failed: {error!r}")


def decide(reports: list[IterationReport], keep: str) -> int:
    """Return the number of the iteration to ship; 0 says that the seed was not beaten.

    `best` goes by right-in-both-orders on dev, then accuracy on dev, then the earlier one; without
    dev pairs, and with `last`, it is the last.
    """
    if keep == "last" or any("dev" not in r.evaluations for r in reports):
        return reports[-1].number

    def merit(report: IterationReport) -> tuple[float, float, int]:
        overall = report.evaluations["dev"]["overall"]
        return overall["acc_pc"], overall["acc"], -report.number

    return max(reports, key=merit).number
