"""One iteration's data set: judgments sampled, the right ones kept, rows and manifest written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.asking import stored_completions
from ste_plugin.dataset import Example, arrange, balance, keep, only_both_orders, within_length
from ste_plugin.engines.identity import model_identity, model_path
from ste_plugin.errors import JudgeError
from ste_plugin.judgments import sample_judgments
from ste_plugin.manifest import write_rows
from ste_plugin.plugins import named
from ste_plugin.pool import Pool, prepare_pool
from ste_plugin.records import Drop, Judgment, ResponsePair, Split
from ste_plugin.rows import held_out_rows
from ste_plugin.session import Iteration
from ste_plugin.store import replace_json, replace_records
from ste_plugin.tokens import count_tokens

TRAINING_SPLITS: tuple[Split, ...] = ("train", "dev")
"""Test pairs are never judged for training: they are only ever reported."""
HELD_OUT: tuple[Split, ...] = ("dev", "test")


def generate_dataset(iteration: Iteration) -> Path:
    """Return the manifest of this iteration's data set, made now or found whole.

    Raises: JudgeError where no judgment is fit to train on.
    """
    manifest = iteration.folder / "dataset" / "manifest.json"
    if manifest.exists():
        return manifest
    pool = prepare_pool(iteration.session)
    pairs: dict[Split, Sequence[ResponsePair]] = {
        "train": [p for p in pool.pairs["train"] if iteration.has(p)],
        "dev": pool.pairs["dev"],
    }
    judgments, drops = _judge(iteration, pairs)
    splits = {s: _examples(iteration, pairs[s], judgments, drops) for s in TRAINING_SPLITS}
    if not splits["train"]:
        raise JudgeError(_nothing_kept(judgments, drops))
    rows = _rows(iteration, splits, drops) | _held_out(iteration, pool)
    replace_records(iteration.folder / "judgments.jsonl", judgments)
    replace_records(iteration.folder / "drops.jsonl", drops)
    files = {name: write_rows(manifest.parent, name, found) for name, found in rows.items()}
    replace_json(manifest, _manifest(iteration, pool, judgments, drops, splits, files))
    session = iteration.session
    kept = len(splits["train"])
    session.watch.event("dataset", iteration=iteration.number, judgments=len(judgments), kept=kept)
    session.watch.say(
        f"iteration {iteration.number}: {len(judgments)} judgments sampled, {kept} kept for training"
    )
    return manifest


def _judge(
    iteration: Iteration, by_split: Mapping[Split, Sequence[ResponsePair]]
) -> tuple[list[Judgment], list[Drop]]:
    session = iteration.session
    engine = session.models.use(iteration.judge)
    pairs = [pair for split in TRAINING_SPLITS for pair in by_split[split]]
    return sample_judgments(iteration, engine, pairs)


def _examples(
    iteration: Iteration, pairs: Sequence[ResponsePair], judgments: Sequence[Judgment],
    drops: list[Drop],
) -> list[Example]:  # fmt: skip
    """Return the examples of one split; everything left out is added to `drops`."""
    session, config = iteration.session, iteration.session.config

    def reason(judgment: Judgment, pair: ResponsePair) -> str | None:
        found = session.plugins.hook.ste_drop_judgment(judgment=judgment, pair=pair)
        return str(found[0]) if found else None

    keys = {pair.key for pair in pairs}
    mine = [j for j in judgments if j.pair_key in keys]
    examples, dropped = keep(pairs, mine, session.judge_format, reason)
    lengths = count_tokens(model_path(config.judge, session.base), examples)
    examples, too_long = within_length(examples, lengths, config.dataset.sequence_len)
    if config.dataset.both_orders_only:
        examples, one_order = only_both_orders(examples)
        dropped += one_order
    examples, surplus = balance(examples)
    drops += dropped + too_long + surplus
    return arrange(examples, config.seed)


def _rows(
    iteration: Iteration, splits: dict[Split, list[Example]], drops: list[Drop]
) -> dict[str, list[dict[str, Any]]]:
    """Return the training rows by format and split; what is left out is added to `drops`.

    A format that makes no row of some examples is balanced once more, among those it does.
    """
    session = iteration.session
    found: dict[str, list[dict[str, Any]]] = {}
    for name in session.config.dataset.formats:
        rows_of = named(session.plugins, "ste_dataset_formats", name, "dataset.formats")
        for split, examples in splits.items():
            made = {example.key: rows_of(example) for example in examples}
            used, surplus = balance([example for example in examples if made[example.key]])
            drops += [Drop("dataset", d.key, f"{d.reason} among {name} rows") for d in surplus]
            found[f"{name}-{split}"] = [row for example in used for row in made[example.key]]
    return found


def _held_out(iteration: Iteration, pool: Pool) -> dict[str, list[dict[str, Any]]]:
    """Return the prompts that measure the judge, by split."""
    form = iteration.session.judge_format
    return {
        f"judge-{split}": [row for pair in pool.pairs[split] for row in held_out_rows(pair, form)]
        for split in HELD_OUT
    }


def _manifest(
    iteration: Iteration, pool: Pool, judgments: Sequence[Judgment], drops: Sequence[Drop],
    splits: dict[Split, list[Example]], files: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    session, config = iteration.session, iteration.session.config
    form = session.judge_format
    done = stored_completions(iteration.folder / "judging.completions.jsonl")
    return {
        "iteration": iteration.number,
        "judge": model_identity(iteration.judge, session.base),
        "judge_format": {"name": form.name, "version": form.version},
        "settings": {
            "judging": config.judging.model_dump(mode="json"),
            "dataset": config.dataset.model_dump(mode="json"),
            "seed": config.seed,
        },
        "counts": {
            "pairs": {s: len(pool.pairs[s]) for s in ("train", "dev", "test")},
            "judgments": len(judgments),
            "forced": sum(j.forced for j in judgments),
            "without_verdict": sum(j.verdict is None for j in judgments),
            "correct": sum(j.correct for j in judgments),
            "kept": {s: len(e) for s, e in splits.items()},
            "letters": {s: dict(Counter(e.better_is for e in es)) for s, es in splits.items()},
            "strategies": {
                s: dict(Counter(e.pair.strategy for e in es)) for s, es in splits.items()
            },
            "generated_tokens": sum(c.completion_tokens for c in done.values()),
        },
        "drops": dict(Counter(f"{d.stage}: {d.reason}" for d in [*pool.drops, *drops])),
        "files": files,
    }


def _nothing_kept(judgments: Sequence[Judgment], drops: Sequence[Drop]) -> str:
    reasons = Counter(d.reason for d in drops).most_common(5)
    told = "\n".join(f"  {n} x {reason}" for reason, n in reasons)
    right = sum(j.correct for j in judgments)
    return (
        f"Of {len(judgments)} judgments {right} are right, and none can be trained on:\n{told}\n"
        "Use a stronger seed model, more samples (judging.samples), or set judging.force_verdict: true."
    )
