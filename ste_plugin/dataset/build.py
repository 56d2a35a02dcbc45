"""One iteration's data set: judgments sampled and collected, rows and manifest written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ste_plugin.context import Iteration
from ste_plugin.dataset.collect import CollectedJudgments, collect_judgments, no_examples_error
from ste_plugin.dataset.filters import (
    ONE_ORDER,
    RATED_ALONE,
    drop_easy_pairs,
    drop_single_orders,
    drop_too_long,
)
from ste_plugin.dataset.matching import balance_of
from ste_plugin.dataset.reviewed import Reviewed, reviewed_pairs
from ste_plugin.dataset.row_formats import held_out_rows
from ste_plugin.dataset.row_writer import open_training_rows
from ste_plugin.dataset.sample import (
    TRAINING_SPLITS,
    DatasetStage,
    SampledTasks,
    check_parts,
    plugin_drop_reason,
    rule_name,
    sample_judgments,
)
from ste_plugin.dataset.verdict_rows import verdict_format
from ste_plugin.engines.identity import model_identity
from ste_plugin.judging import JudgeFormat
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.pairs.pool_files import Pool
from ste_plugin.plugins.judge_formats import described
from ste_plugin.records import Split
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.sampling.pass_rates import PassRate, expected_rates
from ste_plugin.sampling.ratings import open_sampler
from ste_plugin.sampling.stopping_rules import CONSTRUCTED
from ste_plugin.storage.dataset_manifest import write_rows
from ste_plugin.storage.drop_log import open_drop_log
from ste_plugin.storage.jsonl import iter_records, replace_json

HELD_OUT: tuple[Split, ...] = ("dev", "test")

Chosen = Mapping[Split, Sequence[JudgeTask]]
"""The tasks that are trained on, by split."""


def generate_dataset(iteration: Iteration) -> Path:
    """Return the manifest of this iteration's data set, made now unless it exists already.

    Raises: JudgeError where no judgment is fit to train on.
    """
    manifest = iteration.folder / "dataset" / "manifest.json"
    if manifest.exists():
        return manifest
    pool = prepare_pool(iteration.context)
    if iteration.context.config.parts > 1 and iteration.number == iteration.stage == 1:
        check_parts(iteration, pool)
    completions = iteration.context.stores.open(iteration.folder / "judging.completions.jsonl")
    sampler = open_sampler(iteration, completions, partial(plugin_drop_reason, iteration))
    reviewed = _reviewed(iteration, pool)
    with open_drop_log(iteration.folder / "drops.jsonl") as drops:
        stage = DatasetStage(iteration, pool, completions, sampler, drops, reviewed)
        files: dict[str, Any] = {}
        sampled = sample_judgments(stage)
        collected, chosen = _write_training_rows(stage, sampled, files)
        _write_held_out_rows(stage, files)
    replace_json(manifest, _manifest(stage, collected, chosen, files))
    iteration.context.stores.close()
    _report(iteration, collected, len(chosen["train"]), files)
    return manifest


def _reviewed(iteration: Iteration, pool: Pool) -> Reviewed | None:
    """Return what people said of the pairs, and tell it; None where it does not count."""
    if iteration.context.config.dataset.reviewed == "keep":
        return None
    reviewed = reviewed_pairs(iteration, pool)
    others = f" ({reviewed.of_other_pairs} are of other pairs)" if reviewed.of_other_pairs else ""
    iteration.context.progress.say(
        f"iteration {iteration.number}: people labelled {reviewed.pairs} pairs{others} and call "
        f"{len(reviewed.wrong)} wrong, which are not trained on"
    )
    return reviewed


def _write_training_rows(
    stage: DatasetStage, sampled: SampledTasks, files: dict[str, Any]
) -> tuple[CollectedJudgments, Chosen]:
    """Write the training rows of each split; what a manifest says of each file goes into `files`.

    Rows are written as judgments are read; those of tasks that are not chosen are removed after.
    """
    with ExitStack() as stack:
        rows = {
            split: stack.enter_context(open_training_rows(stage.iteration, split, files))
            for split in TRAINING_SPLITS
        }
        collected = collect_judgments(stage, sampled, rows)
        chosen = {split: _choose(stage, collected, split) for split in TRAINING_SPLITS}
        if not chosen["train"]:
            raise no_examples_error(stage, collected)
        for split, tasks in chosen.items():
            stage.drops.add(rows[split].keep(tasks))
            collected.counts["verdict_rows"] += rows[split].verdict_rows
        if not rows["train"].count(stage.iteration.rows):
            raise no_examples_error(stage, collected, stage.iteration.rows)
    return collected, chosen


def _choose(stage: DatasetStage, collected: CollectedJudgments, split: Split) -> list[JudgeTask]:
    """Return the tasks of one split that are trained on; the others are added to the drops."""
    config, drops = stage.iteration.context.config.dataset, stage.drops
    kept, dropped = drop_too_long(
        collected.kept[split], collected.lengths[split], stage.iteration.longest_row
    )
    drops.add(dropped)
    if config.weigh_by_pass_rate and split == "train":
        rates = iter_records(stage.iteration.folder / "pass_rates.jsonl", PassRate)
        kept, dropped = drop_easy_pairs(kept, expected_rates(rates))
        drops.add(dropped)
    pointwise = stage.iteration.context.judge_format.pointwise
    if stage.iteration.whole_pairs or pointwise:
        kept, dropped = drop_single_orders(kept, RATED_ALONE if pointwise else ONE_ORDER)
        drops.add(dropped)
    kept, dropped = balance_of(stage.iteration.context.config, split)(kept)
    drops.add(dropped)
    return kept


def _write_held_out_rows(stage: DatasetStage, files: dict[str, Any]) -> None:
    """Write the prompts that measure the judge on held-out pairs."""
    judge_format = stage.iteration.context.judge_format
    for split in HELD_OUT:
        name, pairs = f"judge-{split}", stage.pool.pairs[split]
        rows = (row for pair in pairs for row in held_out_rows(pair, judge_format))
        files[name] = write_rows(stage.iteration.folder / "dataset", name, rows)


def _manifest(
    stage: DatasetStage, collected: CollectedJudgments, chosen: Chosen, files: dict[str, Any]
) -> dict[str, Any]:
    iteration, context = stage.iteration, stage.iteration.context
    config = context.config
    thinking = iteration.judge.thinking
    return {
        "iteration": iteration.number,
        "judge": model_identity(iteration.judge, context.base),
        "judged_by": _judged_by(iteration),
        "judge_format": described(context.judge_format),
        **(_verdict_format(context.judge_format) if collected.counts["verdict_rows"] else {}),
        "chat_template": {
            "kwargs": iteration.judge.chat_template_kwargs,
            "thinking": thinking.model_dump() if thinking else None,
        },
        "settings": {
            "judging": _judging(iteration),
            "dataset": config.dataset.model_dump(mode="json"),
            "seed": config.seed,
            **_part(iteration),
        },
        "counts": _counts(stage, collected, chosen),
        "drops": dict(Counter(stage.pool.drops) + stage.drops.reasons),
        "kept_out": stage.pool.kept_out,
        "files": files,
        **_told_of(stage.reviewed),
    }


def _judging(iteration: Iteration) -> dict[str, Any]:
    """Return how judgments were sampled, with what the settings leave to the recipe."""
    told, rule = iteration.context.config.judging.model_dump(mode="json"), rule_name(iteration)
    return told | {"sampling": rule} | ({"samples": 1} if rule == CONSTRUCTED else {})


def _verdict_format(judge_format: JudgeFormat) -> dict[str, Any]:
    """Return what a manifest says of the format of rows with the letter alone."""
    return {"verdict_format": described(verdict_format(judge_format))}


def _part(iteration: Iteration) -> dict[str, Any]:
    """Return which part of the training instructions was judged, where they are split."""
    parts = iteration.context.config.parts
    return {"instructions": {"part": iteration.number, "of": parts}} if parts > 1 else {}


def _judged_by(iteration: Iteration) -> dict[str, int]:
    """Return which iteration's judge it was, and of which of its stages; 0 is the seed."""
    if iteration.stage > 1:
        return {"iteration": iteration.number, "stage": iteration.stage - 1}
    before = iteration.number - 1
    number = before if iteration.judged_by is None else iteration.judged_by
    last = len(iteration.context.config.training.recipe)
    return {"iteration": number, "stage": last if number else 0}


def _told_of(reviewed: Reviewed | None) -> dict[str, Any]:
    """Return what a manifest says of people's labels, where they count."""
    if reviewed is None:
        return {}
    return {"reviewed": reviewed.to_dict() | {"wrong": len(reviewed.wrong)}}


def _counts(stage: DatasetStage, collected: CollectedJudgments, chosen: Chosen) -> dict[str, Any]:
    counts, completions = collected.counts, stage.completions
    return {
        "pairs": {split: len(pairs) for split, pairs in stage.pool.pairs.items()},
        "judgments": counts["judgments"],
        "topped_up": counts["topped_up"],
        "forced": counts["forced"],
        "without_verdict": counts["judgments"] - counts["with_verdict"],
        "correct": counts["correct"],
        **_fault_counts(counts["of_faults"], counts["naming_faults"]),
        "pass_rate": collected.pass_rate,
        "kept": {split: len(tasks) for split, tasks in chosen.items()},
        **({"verdict_rows": number} if (number := counts["verdict_rows"]) else {}),
        "letters": {s: dict(Counter(task.gold for task in tasks)) for s, tasks in chosen.items()},
        "strategies": {s: dict(Counter(t.strategy for t in tasks)) for s, tasks in chosen.items()},
        "prompt_tokens": completions.prompt_tokens,
        "generated_tokens": completions.completion_tokens,
        "ended_by_budget": stage.iteration.context.budget.stopped,
    }


def _fault_counts(correct: int, naming: int) -> dict[str, Any]:
    """Return how many correct judgments of pairs with a named fault name it; nothing of none."""
    return {"faults": {"correct": correct, "named": naming}} if correct else {}


def _report(
    iteration: Iteration, collected: CollectedJudgments, kept: int, files: Mapping[str, Any]
) -> None:
    """Write the stage's event, and its line on the screen."""
    context, judgments = iteration.context, collected.counts["judgments"]
    verdicts, rows = collected.counts["verdict_rows"], files[f"{iteration.rows}-train"]["rows"]
    context.progress.event("dataset", iteration=iteration.number, judgments=judgments, kept=kept)
    context.progress.say(
        f"iteration {iteration.number}: {judgments} judgments sampled, {kept} kept for training"
        + (f" ({rows} {iteration.rows} rows)" if rows != kept + verdicts else "")
        + (f", {verdicts} asked for the letter alone, too" if verdicts else "")
        + (" (the budget ended sampling)" if context.budget.stopped else "")
    )
