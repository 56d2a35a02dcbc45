"""The loop: generate → train → evaluate → decide, iteration after iteration, resumable anywhere."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.axolotl.run_config import changed_since, read_recipe
from ste_plugin.config import ModelConfig
from ste_plugin.context import IterationReport, RunContext, reported_counts, reported_figures
from ste_plugin.engines.base import Place
from ste_plugin.engines.http.prices import read_prices
from ste_plugin.engines.nested import answering_model
from ste_plugin.engines.registry import resolve_engine
from ste_plugin.errors import ConfigError, JudgeError
from ste_plugin.evaluation.kept_out import check_kept_out
from ste_plugin.evaluation.plan import check_configured, plan_evaluations
from ste_plugin.hosts.run_host import python_of, require_module
from ste_plugin.pairs.pool import is_pool_made
from ste_plugin.run import gating, stages
from ste_plugin.run.models_ahead import check_loadable, check_whole
from ste_plugin.run.prefetch import prepare_pool_with_prefetch
from ste_plugin.run.stale import drop_stale
from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.jsonl import read_derived_json, read_json, read_rows, replace_json

_POOL_IS_CUT = (
    "pool: pairs are missing, as the budget ended it. Raise budget.max_tokens_total or "
    "budget.max_minutes, and the next start completes it; once a data set is made of it, "
    "`ste run CONFIG --from pool` does, which keeps the old output beside the new."
)
_DATA_SETTINGS = ("rl:", "sequence_len:", "ste.decision")
"""How a line begins that tells of a recipe's setting on which its data set depends."""


def check_ahead(context: RunContext) -> None:
    """Find, before a token is paid for, what would stop a later stage.

    Raises: ConfigError for a recipe that cannot be used, a judge that cannot be replaced or
    trained, or a model that cannot be loaded; DataError for pairs that cannot be judged; HostError
    for a host that is not installed.
    """
    for check in checks_ahead(context):
        check(context)


def checks_ahead(context: RunContext) -> Iterator[Callable[[RunContext], object]]:
    """Yield what `check_ahead` calls, one after the other; each raises as it does."""
    yield from (stages.check_servable, gating.check_people, stages.read_row_formats)
    if not context.folder.report.exists():  # a finished run needs its pairs no more
        yield check_configured
        yield lambda run: check_whole(run.config.judge, run.base)
    if not is_pool_made(context):
        yield lambda run: check_loadable(run.config, run.base)
        yield check_kept_out
    yield from (_check_server, _check_training, stages.check_backend)


def _check_server(context: RunContext) -> None:
    """Raise HostError where the run is to start vLLM's server and has no vLLM."""
    if any(starts_server(model, context) for model in context.config.models.values()):
        require_module(python_of(context.config.hosts.serve), "vllm", "pip install vllm")


def _check_training(context: RunContext) -> None:
    """Raise HostError where axolotl is missing, ConfigError where it would not train by a recipe
    that is still to be trained by."""
    axolotl.require_host(python_of(context.config.hosts.train))
    last = stages.stage_numbers(context)[-1]
    if not stages.is_trained(context, context.config.iterations, last):
        stages.check_trainable(context)


def starts_server(model: ModelConfig, context: RunContext) -> bool:
    """Return whether the run starts vLLM's own server for a model."""
    serve = context.config.hosts.serve
    place = Place.of_run(context.config, context.base)
    return not serve.command and resolve_engine(model, place).engine == "serve"


def run(
    context: RunContext, check_pool: Callable[[], object] = lambda: None
) -> list[IterationReport]:
    """Do what is left to do of a run; return the reports of the seed and of every iteration.

    `check_pool` is called once there is a pool, before more is made of it.
    """
    check_ahead(context)
    with stages.log_time(context, "pool", None):
        pool = prepare_pool_with_prefetch(stages.read_iteration(context, 1, 1))
    if pool.ended_by_budget:
        context.progress.say(_POOL_IS_CUT)
    check_pool()
    reports = list(_run_iterations(context))
    best = decide(reports, context.config.keep)
    report = {
        "best": best,
        "model": stages.find_judge(context, best).model,
        "keep": context.config.keep,
        "kept_out": pool.kept_out,
        "iterations": [report.to_dict() for report in reports],
    }
    replace_json(context.folder.report, report)
    write_page(context)
    return reports


def _run_iterations(context: RunContext) -> Iterator[IterationReport]:
    """Yield the reports of the seed and of every iteration that the budget allows."""
    for number in range(context.config.iterations + 1):
        try:
            yield finish_iteration(context, number)
        except JudgeError:
            if not (context.budget.stopped and number > 1):
                raise
            context.progress.say(
                f"The budget is used up and iteration {number} has nothing to train on: the run "
                "ends with what it has. Raise budget.max_tokens_total or budget.max_minutes to "
                "resume."
            )
            return


def finish_iteration(context: RunContext, number: int) -> IterationReport:
    """Do what is left to do of an iteration; return its report.

    A finished iteration is measured again only on benchmarks that were added to the config and on
    pairs that have changed, and its gates are decided again only where these or they have changed.
    Raises: ConfigError where another recipe, or other gates, would have made another judge.
    """
    numbers = stages.stage_numbers(context)
    done = context.folder.iteration(number) / "done.json"
    if done.exists():
        drop_stale(context, number)
        gating.check_judged_by(context, number)
        for stage in numbers:
            _check_trained_by(context, number, stage)
        report = read_derived_json(done, IterationReport.from_dict)
        measured = set(plan_evaluations(context)) <= set(report.evaluations)
        broken = _find_broken(context, number) if measured else ()
        if measured and report.broken == broken:
            return report
        if measured:
            return _finished(context, replace(report, broken=broken))
    elif number:
        for stage in numbers:
            if stages.is_trained(context, number, stage):
                _check_trained_by(context, number, stage)
            stages.generate(context, number, stage)
            stages.train(context, number, stage)
    return _finished(context, _make_report(context, number, stages.evaluate(context, number)))


def _check_trained_by(context: RunContext, number: int, stage: int) -> None:
    """Raise ConfigError where a stage's judge was trained by a recipe that is another now.

    An unfinished training starts over by the new one; a finished one stays, or would be done again
    where only its measuring is owed, and later ones would mix two recipes.
    """
    folder = context.folder.iteration(number, stage)
    trained_by, data = folder / "axolotl.yaml", folder / "dataset" / "manifest.json"
    if not trained_by.exists() or not data.exists():  # the seed, or made by other means
        return
    name = context.config.training.recipe[stage - 1]
    path = stages.find_recipe_file(context, name)
    changed = changed_since(read_recipe(path), read_recipe(trained_by), read_manifest(data))
    if changed:
        lines = "\n".join(f"  {line}" for line in changed)
        remakes = any(line.startswith(_DATA_SETTINGS) for line in changed)
        raise ConfigError(
            f"{path}: iteration {number} was trained by other settings, says {trained_by}:\n"
            f"{lines}\n{_how_to_keep(context, name, path, trained_by)} this run another folder "
            f"(run: ...), or train again: `ste run CONFIG --from "
            f"{'generate' if remakes else 'train'} --iteration {number}`, which keeps the old "
            "output beside the new."
        )


def _how_to_keep(context: RunContext, name: str, path: Path, trained_by: Path) -> str:
    """Return how to go on by the settings of `trained_by`, and the start of what else can be done.

    `name`: the recipe's in the config. `path`: where it is found now.
    """
    if problems := stages.find_problems(context, trained_by):
        told = "\n".join(f"  {problem}" for problem in problems)
        return f"There is no way back to these, which are refused now:\n{told}\nGive"
    given = Path(name).expanduser()
    own = context.base / given
    if path in (given, own):
        return "Set it back, or give"
    return (
        "A newer package may have brought it; this keeps to the old one: "
        f"`cp {trained_by} {own}`. Do that, or give"
    )


def _finished(context: RunContext, report: IterationReport) -> IterationReport:
    """Tell observers of an iteration, and mark it as done."""
    _notify_observers(context, report)  # before it is done: after a kill they are notified again
    replace_json(context.folder.iteration(report.number) / "done.json", report.to_dict())
    write_page(context)
    return report


def _make_report(context: RunContext, number: int, results: dict[str, Any]) -> IterationReport:
    counts = _read_counts(context, number)
    tokens = sum(c.get("generated_tokens", 0) for c in counts)
    prompt_tokens = sum(c.get("prompt_tokens", 0) for c in counts)
    prices = read_prices(answering_model(context.config.judge).options)
    return IterationReport(
        number=number,
        folder=str(context.folder.iteration(number)),
        model=stages.find_judge(context, number).model,
        evaluations={name: reported_figures(result) for name, result in results.items()},
        **reported_counts(counts),
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        cost=prices.cost(prompt_tokens, tokens) if prices else None,
        minutes=round(_read_seconds(context, number) / 60, 2),
        broken=_find_broken(context, number),
    )


def _find_broken(context: RunContext, number: int) -> tuple[str, ...]:
    """Return the gates that an iteration breaks; the seed has none."""
    return gating.decide_gates(context, number).broken if number else ()


def _read_counts(context: RunContext, number: int) -> list[dict[str, Any]]:
    """Return the counts of an iteration's data sets, one per stage; the seed has none."""
    if number == 0:
        return []
    folders = [context.folder.iteration(number, s) for s in stages.stage_numbers(context)]
    return [read_json(f / "dataset" / "manifest.json").get("counts", {}) for f in folders]


def _read_seconds(context: RunContext, number: int) -> float:
    """Return the time that an iteration's stages took, interrupted starts included."""
    events = (row for _, row in read_rows(context.folder.events))
    seconds = (row.get("seconds", 0.0) for row in events if row.get("iteration") == number)
    return float(sum(seconds))


def _notify_observers(context: RunContext, report: IterationReport) -> None:
    for observer in context.plugins.hook.ste_iteration_finished.get_hookimpls():
        try:
            observer.function(*[report][: len(observer.argnames)])
        except Exception as error:  # an observer must not cost a finished iteration
            name = observer.plugin_name
            context.progress.event("observer failed", plugin=name, error=repr(error))
            context.progress.say(
                f"warning: plugin {name}: ste_iteration_finished failed: {error!r}"
            )


def write_page(context: RunContext) -> None:
    """Write report.html; where that fails, say so, as `ste report` can write it at any time."""
    from ste_plugin.report.page import write_report

    try:
        write_report(context.folder, context.plugins)
    except Exception as error:  # the page is made of the run, and must not cost one
        context.progress.event("report failed", error=repr(error))
        context.progress.say(
            f"warning: report.html could not be written: {error} `ste report "
            f"{context.folder.root}` writes it again."
        )


def decide(reports: list[IterationReport], keep: str) -> int:
    """Return the number of the iteration to ship; 0 means that none beat the seed.

    Only those that broke no gate are shipped. Of these `best` compares right-in-both-orders on dev,
    then accuracy on dev; of equals the earlier one is kept. Without dev pairs, and with `last`, it
    is the last.
    """
    reports = [report for report in reports if not report.broken]
    if keep == "last" or any("dev" not in r.evaluations for r in reports):
        return reports[-1].number

    def merit(report: IterationReport) -> tuple[float, float, int]:
        overall = report.evaluations["dev"]["overall"]
        return overall["acc_pc"], overall["acc"], -report.number

    return max(reports, key=merit).number
