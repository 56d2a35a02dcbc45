"""The loop: generate → train → evaluate → decide, iteration after iteration, resumable anywhere."""

from collections.abc import Iterator
from typing import Any

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.config import ModelConfig
from ste_plugin.context import IterationReport, RunContext
from ste_plugin.engines.base import Place
from ste_plugin.engines.http.prices import read_prices
from ste_plugin.engines.registry import resolve_engine
from ste_plugin.errors import JudgeError
from ste_plugin.evaluation.plan import check_configured, plan_evaluations
from ste_plugin.hosts.run_host import python_of, require_module
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.run import stages
from ste_plugin.run.prefetch import pool_while_judging
from ste_plugin.storage.jsonl import read_derived_json, read_json, read_rows, replace_json

_REPORTED = ("overall", "sections", "subsets", "n")


def check_ahead(context: RunContext) -> None:
    """Find, before a token is paid for, what would stop a later stage.

    Raises: ConfigError for a missing recipe or a judge that cannot be replaced, DataError for pairs that
    cannot be judged, HostError for a host that is not installed.
    """
    hosts = context.config.hosts
    stages.check_servable(context)
    stages.rows_of_recipes(context)
    if not context.folder.report.exists():  # a finished run needs its pairs no more
        check_configured(context)
    if any(served_here(m, context) for m in (context.config.judge, context.generator_model)):
        require_module(python_of(hosts.serve), "vllm", "pip install vllm")
    axolotl.require_host(python_of(hosts.train))
    lm_eval.require_host(python_of(hosts.eval), context.config.evaluation.backend)


def served_here(model: ModelConfig, context: RunContext) -> bool:
    """Return whether the run starts vLLM's own server for a model."""
    serve = context.config.hosts.serve
    place = Place.of_run(context.config, context.base)
    return not serve.command and resolve_engine(model, place).engine == "serve"


def run(context: RunContext) -> list[IterationReport]:
    """Return the reports of the seed and of every iteration, having done what was not done yet."""
    check_ahead(context)
    with stages.timed(context, "pool", None):
        pool_while_judging(stages.iteration_of(context, 1, 1))
    reports = list(_iterations(context))
    best = decide(reports, context.config.keep)
    kept = stages.judge_of(context, best).model
    replace_json(
        context.folder.report,
        {"best": best, "model": kept, "keep": context.config.keep,
         "iterations": [report.to_dict() for report in reports]},
    )  # fmt: skip
    return reports


def _iterations(context: RunContext) -> Iterator[IterationReport]:
    """Yield the reports of the seed and of every iteration that the budget allows."""
    for number in range(context.config.iterations + 1):
        try:
            yield finished(context, number)
        except JudgeError:
            if not (context.budget.stopped and number > 1):
                raise
            context.progress.say(
                f"The budget is used up and iteration {number} has nothing to train on: the run ends "
                "with what it has. Raise budget.max_tokens_total or budget.max_minutes to go on."
            )
            return


def finished(context: RunContext, number: int) -> IterationReport:
    """Return an iteration's report, read back where all of it is done.

    Benchmarks that the config names since then are measured.
    """
    done = context.folder.iteration(number) / "done.json"
    if done.exists():
        before = read_derived_json(done, IterationReport.from_dict)
        if set(plan_evaluations(context)) <= set(before.evaluations):
            return before
    elif number:
        for stage in stages.stages_of(context):
            stages.generate(context, number, stage)
            stages.train(context, number, stage)
    results = stages.evaluate(context, number)
    report = _report(context, number, results)
    _tell_observers(context, report)  # before it is done: a kill in between tells them again
    replace_json(done, report.to_dict())
    return report


def _report(context: RunContext, number: int, results: dict[str, Any]) -> IterationReport:
    folder = context.folder.iteration(number)
    counts = (
        [_counts(context, number, stage) for stage in stages.stages_of(context)] if number else []
    )
    tokens = sum(c.get("generated_tokens", 0) for c in counts)
    prompt_tokens = sum(c.get("prompt_tokens", 0) for c in counts)
    prices = read_prices(context.config.judge.options)
    seconds = sum(
        row.get("seconds", 0.0)
        for _, row in read_rows(context.folder.events)
        if row.get("iteration") == number
    )
    return IterationReport(
        number=number,
        folder=str(folder),
        model=stages.judge_of(context, number).model,
        evaluations={name: {k: found[k] for k in _REPORTED if k in found}
                     for name, found in results.items()},
        sampled=sum(c.get("judgments", 0) for c in counts),
        kept=sum(c.get("kept", {}).get("train", 0) for c in counts),
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        cost=prices.cost(prompt_tokens, tokens) if prices else None,
        minutes=round(seconds / 60, 2),
    )  # fmt: skip


def _counts(context: RunContext, number: int, stage: int) -> dict[str, Any]:
    manifest = context.folder.iteration(number, stage) / "dataset" / "manifest.json"
    # a plugin's own stage may count nothing
    return dict(read_json(manifest).get("counts", {}))


def _tell_observers(context: RunContext, report: IterationReport) -> None:
    for observer in context.plugins.hook.ste_iteration_finished.get_hookimpls():
        try:
            observer.function(report)
        except Exception as error:  # an observer must not cost a finished iteration
            name = observer.plugin_name
            context.progress.event("observer failed", plugin=name, error=repr(error))
            context.progress.say(
                f"warning: plugin {name}: ste_iteration_finished failed: {error!r}"
            )


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
