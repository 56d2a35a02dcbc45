"""One iteration's data set: judgments sampled, the right ones kept, rows and manifest written."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.completions import CompletionFile
from ste_plugin.dataset import (
    Example,
    arrange,
    balance,
    only_both_orders,
    only_counted,
    weighed,
    within_length,
)
from ste_plugin.engines.identity import model_identity, model_path
from ste_plugin.harvest import TRAINING_SPLITS, Harvest, harvested, nothing_kept, rule_name
from ste_plugin.manifest import write_rows
from ste_plugin.pass_rates import expected_rates, mean_rate
from ste_plugin.plugins import named
from ste_plugin.pool import Pool, prepare_pool
from ste_plugin.records import Drop, Split
from ste_plugin.rows import held_out_rows
from ste_plugin.session import Iteration
from ste_plugin.store import replace_json, replace_records
from ste_plugin.tokens import count_tokens

HELD_OUT: tuple[Split, ...] = ("dev", "test")


def generate_dataset(iteration: Iteration) -> Path:
    """Return the manifest of this iteration's data set, made now or found whole.

    Raises: JudgeError where no judgment is fit to train on.
    """
    manifest = iteration.folder / "dataset" / "manifest.json"
    if manifest.exists():
        return manifest
    pool = prepare_pool(iteration.session)
    file = CompletionFile(iteration.folder / "judging.completions.jsonl")
    harvest = harvested(iteration, pool, file)
    splits = {s: _chosen(iteration, harvest, s) for s in TRAINING_SPLITS}
    if not splits["train"]:
        raise nothing_kept(iteration, harvest)
    rows = _rows(iteration, splits, harvest.drops) | _held_out(iteration, pool)
    files = {name: write_rows(manifest.parent, name, found) for name, found in rows.items()}
    replace_records(iteration.folder / "pass_rates.jsonl", harvest.rates)
    replace_records(iteration.folder / "drops.jsonl", harvest.drops)
    replace_json(manifest, _manifest(iteration, pool, harvest, splits, files, file))
    session, sampled = iteration.session, harvest.counts["judgments"]
    kept = len(splits["train"])
    session.watch.event("dataset", iteration=iteration.number, judgments=sampled, kept=kept)
    session.watch.say(
        f"iteration {iteration.number}: {sampled} judgments sampled, {kept} kept for training"
        + (" (the budget ended sampling)" if session.budget.stopped else "")
    )
    return manifest


def _chosen(iteration: Iteration, harvest: Harvest, split: Split) -> list[Example]:
    """Return the examples of one split that are trained on; all others are added to the drops."""
    session, config = iteration.session, iteration.session.config
    examples = harvest.examples[split]
    lengths = count_tokens(model_path(config.judge, session.base), examples)
    examples, steering = only_counted(examples, lengths)
    examples, dropped = within_length(examples, lengths, config.dataset.sequence_len)
    dropped += steering
    if config.dataset.weigh_by_pass_rate and split == "train":
        examples, easy = weighed(examples, expected_rates(harvest.rates))
        dropped += easy
    if config.dataset.both_orders_only:
        examples, one_order = only_both_orders(examples)
        dropped += one_order
    examples, surplus = balance(examples)
    harvest.drops += dropped + surplus
    return arrange(examples, config.seed)


def _rows(
    iteration: Iteration, splits: Mapping[Split, list[Example]], drops: list[Drop]
) -> dict[str, Iterable[dict[str, Any]]]:
    """Return the training rows by format and split; what is left out is added to `drops`.

    A format that makes no row of some examples is balanced once more, among those it does.
    """
    session = iteration.session
    found: dict[str, Iterable[dict[str, Any]]] = {}
    for name in session.config.dataset.formats:
        rows_of = named(session.plugins, "ste_dataset_formats", name, "dataset.formats")
        for split, examples in splits.items():
            used, surplus = balance([example for example in examples if rows_of(example)])
            drops += [Drop("dataset", d.key, f"{d.reason} among {name} rows") for d in surplus]
            # made once more as they are written: all rows of all formats at once would not fit
            found[f"{name}-{split}"] = _flat(rows_of, used)
    return found


def _flat(rows_of: Any, examples: Sequence[Example]) -> Iterator[dict[str, Any]]:
    for example in examples:
        yield from rows_of(example)


def _held_out(iteration: Iteration, pool: Pool) -> dict[str, Iterable[dict[str, Any]]]:
    """Return the prompts that measure the judge, by split."""
    form = iteration.session.judge_format
    return {
        f"judge-{split}": [row for pair in pool.pairs[split] for row in held_out_rows(pair, form)]
        for split in HELD_OUT
    }


def _manifest(
    iteration: Iteration, pool: Pool, harvest: Harvest, splits: Mapping[Split, list[Example]],
    files: dict[str, Any], file: CompletionFile,
) -> dict[str, Any]:  # fmt: skip
    session, config = iteration.session, iteration.session.config
    form, counts = session.judge_format, harvest.counts
    return {
        "iteration": iteration.number,
        "judge": model_identity(iteration.judge, session.base),
        "judge_format": {"name": form.name, "version": form.version},
        "settings": {
            "judging": config.judging.model_dump(mode="json") | {"sampling": rule_name(iteration)},
            "dataset": config.dataset.model_dump(mode="json"),
            "seed": config.seed,
        },
        "counts": {
            "pairs": {s: len(pool.pairs[s]) for s in ("train", "dev", "test")},
            "judgments": counts["judgments"],
            "topped_up": counts["topped_up"],
            "forced": counts["forced"],
            "without_verdict": counts["judgments"] - counts["with_verdict"],
            "correct": counts["correct"],
            "pass_rate": mean_rate(harvest.rates),
            "kept": {s: len(e) for s, e in splits.items()},
            "letters": {s: dict(Counter(e.better_is for e in es)) for s, es in splits.items()},
            "strategies": {
                s: dict(Counter(e.pair.strategy for e in es)) for s, es in splits.items()
            },
            "prompt_tokens": file.prompt_tokens,
            "generated_tokens": file.completion_tokens,
            "ended_by_budget": session.budget.stopped,
        },
        "drops": dict(Counter(f"{d.stage}: {d.reason}" for d in [*pool.drops, *harvest.drops])),
        "files": files,
    }
