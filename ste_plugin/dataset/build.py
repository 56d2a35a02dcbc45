"""One iteration's data set: judgments sampled, the right ones kept, rows and manifest written."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ste_plugin.context import Iteration
from ste_plugin.dataset.collect import (
    TRAINING_SPLITS,
    CollectedJudgments,
    collect_judgments,
    no_examples_error,
    plugin_drop_reason,
    rule_name,
    sample_judgments,
)
from ste_plugin.dataset.filters import (
    balance_letters,
    drop_easy_pairs,
    drop_single_orders,
    drop_too_long,
)
from ste_plugin.dataset.row_formats import held_out_rows
from ste_plugin.dataset.row_writer import open_training_rows
from ste_plugin.engines.identity import model_identity
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.pairs.pool import Pool, prepare_pool
from ste_plugin.records import ResponsePair, Split
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.sampling.pass_rates import PassRate, expected_rates
from ste_plugin.sampling.sampler import JudgmentSampler
from ste_plugin.storage.dataset_manifest import write_rows
from ste_plugin.storage.drop_log import DropLog, open_drop_log
from ste_plugin.storage.jsonl import iter_records, replace_json

HELD_OUT: tuple[Split, ...] = ("dev", "test")


def generate_dataset(iteration: Iteration) -> Path:
    """Return the manifest of this iteration's data set, made now or found whole.

    Raises: JudgeError where no judgment is fit to train on.
    """
    manifest = iteration.folder / "dataset" / "manifest.json"
    if manifest.exists():
        return manifest
    pool = prepare_pool(iteration.context)
    file = CompletionStore(iteration.folder / "judging.completions.jsonl")
    sampler = JudgmentSampler(iteration, file, partial(plugin_drop_reason, iteration))
    with open_drop_log(iteration.folder / "drops.jsonl") as drops:
        tasks, topped_up = sample_judgments(iteration, pool, sampler, drops)
        files: dict[str, Any] = {}
        with ExitStack() as opened:
            rows_of = {
                s: opened.enter_context(open_training_rows(iteration, s, files))
                for s in TRAINING_SPLITS
            }
            collected = collect_judgments(iteration, tasks, sampler, drops, rows_of)
            splits = {s: _chosen(iteration, collected, s, drops) for s in TRAINING_SPLITS}
            if not splits["train"]:
                raise no_examples_error(iteration, collected, drops)
            for split, chosen in splits.items():
                drops.add(rows_of[split].keep(chosen))
        for split in HELD_OUT:
            rows = _held_out(iteration, pool.pairs[split])
            files[f"judge-{split}"] = write_rows(manifest.parent, f"judge-{split}", rows)
    replace_json(
        manifest, _manifest(iteration, pool, collected, topped_up, splits, files, file, drops)
    )
    context, judgments = iteration.context, collected.counts["judgments"]
    kept = len(splits["train"])
    context.progress.event("dataset", iteration=iteration.number, judgments=judgments, kept=kept)
    context.progress.say(
        f"iteration {iteration.number}: {judgments} judgments sampled, {kept} kept for training"
        + (" (the budget ended sampling)" if context.budget.stopped else "")
    )
    return manifest


def _chosen(
    iteration: Iteration, collected: CollectedJudgments, split: Split, drops: DropLog
) -> list[JudgeTask]:
    """Return what is trained on of one split; all else is added to the drops."""
    config = iteration.context.config
    longest = config.dataset.sequence_len
    kept, dropped = drop_too_long(collected.kept[split], collected.lengths[split], longest)
    drops.add(dropped)
    if config.dataset.weigh_by_pass_rate and split == "train":
        kept, dropped = drop_easy_pairs(kept, expected_rates(_rates(iteration)))
        drops.add(dropped)
    if config.dataset.both_orders_only:
        kept, dropped = drop_single_orders(kept)
        drops.add(dropped)
    kept, dropped = balance_letters(kept)
    drops.add(dropped)
    return kept


def _rates(iteration: Iteration) -> Iterator[PassRate]:
    return iter_records(iteration.folder / "pass_rates.jsonl", PassRate)


def _held_out(iteration: Iteration, pairs: Iterable[ResponsePair]) -> Iterator[dict[str, Any]]:
    """Yield the prompts that measure the judge on these pairs."""
    judge_format = iteration.context.judge_format
    return (row for pair in pairs for row in held_out_rows(pair, judge_format))


def _manifest(
    iteration: Iteration, pool: Pool, collected: CollectedJudgments, topped_up: int,
    splits: Mapping[Split, list[JudgeTask]], files: dict[str, Any], file: CompletionStore, drops: DropLog,
) -> dict[str, Any]:  # fmt: skip
    context, config = iteration.context, iteration.context.config
    judge_format, counts = context.judge_format, collected.counts
    return {
        "iteration": iteration.number,
        "judge": model_identity(iteration.judge, context.base),
        "judge_format": {"name": judge_format.name, "version": judge_format.version},
        "settings": {
            "judging": config.judging.model_dump(mode="json") | {"sampling": rule_name(iteration)},
            "dataset": config.dataset.model_dump(mode="json"),
            "seed": config.seed,
        },
        "counts": {
            "pairs": {s: len(pool.pairs[s]) for s in ("train", "dev", "test")},
            "judgments": counts["judgments"],
            "topped_up": topped_up,
            "forced": counts["forced"],
            "without_verdict": counts["judgments"] - counts["with_verdict"],
            "correct": counts["correct"],
            "pass_rate": collected.pass_rate,
            "kept": {s: len(e) for s, e in splits.items()},
            "letters": {s: dict(Counter(q.gold for q in qs)) for s, qs in splits.items()},
            "strategies": {s: dict(Counter(q.strategy for q in qs)) for s, qs in splits.items()},
            "prompt_tokens": file.prompt_tokens,
            "generated_tokens": file.completion_tokens,
            "ended_by_budget": context.budget.stopped,
        },
        "drops": dict(Counter(pool.drops) + drops.reasons),
        "files": files,
    }
