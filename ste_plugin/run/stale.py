"""Evaluations of other pairs than there are now: what was made of them goes, and is made again."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from ste_plugin.context import IterationReport, RunContext
from ste_plugin.errors import DataError
from ste_plugin.evaluation.plan import plan_evaluations
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.lm_eval_tasks.judged_file import pairs_hash
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.plugins.manager import contributed_folders
from ste_plugin.storage.jsonl import read_derived_json, read_json, replace_json
from ste_plugin.storage.resources import find_task


def drop_stale(context: RunContext, number: int) -> None:
    """Take out of an iteration's report what is to be measured again, and the gates that saw it.

    These are the gates of the iteration and of all after it, which may be held against it.
    """
    if not (stale := set(_find_stale(context, number))):
        return
    context.progress.say(
        f"{judge_label(number)}: the pairs of {', '.join(sorted(stale))} are others than it was "
        "measured on: it is measured again."
    )
    for later in sorted(context.folder.root.glob("iter-[0-9]*")):
        if later.name >= context.folder.iteration(number).name:
            (later / "gates.json").unlink(missing_ok=True)
    done = context.folder.iteration(number) / "done.json"
    if done.exists():
        report = read_derived_json(done, IterationReport.from_dict)
        left = {name: found for name, found in report.evaluations.items() if name not in stale}
        replace_json(done, replace(report, evaluations=left).to_dict())


def _find_stale(context: RunContext, number: int) -> Iterator[str]:
    """Yield the evaluations that were made of other pairs, or left out others of them."""
    dirs = contributed_folders(context.plugins, "ste_task_dirs")
    for name, (task, planned) in plan_evaluations(context).items():
        file = context.folder.iteration(number) / "eval" / name / "results.json"
        if not file.exists():
            continue
        results = read_json(file)
        metadata = find_task(task, dirs, "evaluation.tasks").metadata
        settings = JudgeSettings.read(planned.environment(), metadata)
        too_long = results.get("settings", {}).get("too_long", settings.too_long)
        if too_long != settings.too_long or _has_other_pairs(results, settings):
            yield name


def _has_other_pairs(results: Mapping[str, Any], settings: JudgeSettings) -> bool:
    """Return whether these results are of other pairs; those of the hub stay the same."""
    if "pairs_sha256" not in results:
        return False
    if not settings.data or not results.get("data"):
        return bool(settings.data) != bool(results.get("data"))
    try:
        rows = lm_eval.read_documents(settings)
    except DataError:  # a finished run needs its pairs no more, and any other has checked them
        return False
    return bool(results["pairs_sha256"] != pairs_hash(row.to_doc() for row in rows))
