"""The pool of a run: instructions read and selected, response pairs made, some of them held out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.config import RunConfig
from ste_plugin.context import RunContext
from ste_plugin.engines.http.prices import read_prices
from ste_plugin.errors import DataError
from ste_plugin.instructions.privacy import apply_privacy, read_scrub_counts
from ste_plugin.instructions.selection import label, select
from ste_plugin.instructions.sources import read_instructions
from ste_plugin.pairs.generate import ask_for_labels, make_pairs, make_pairs_by_calls
from ste_plugin.pairs.pool_files import Pool, group_by_split, read_pool, write_held_out
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Instruction, ResponsePair, Split
from ste_plugin.storage.drop_log import count_reasons, list_commonest
from ste_plugin.storage.jsonl import replace_json, replace_records

OnPairs = Callable[[Sequence[ResponsePair]], object]
_PART = 512
"""How many instructions' pairs are made before `on_pairs` gets them."""


def prepare_pool(context: RunContext, on_pairs: OnPairs | None = None) -> Pool:
    """Return the pool, made now unless `done.json` says that it is complete.

    `on_pairs` gets pairs while others are still being written; the pool is the same without it.
    Raises: DataError where a split that is needed is empty, or a file of the pool was changed.
    """
    folder = context.folder.pool
    if not (folder / "done.json").exists():
        _make_pool(context, on_pairs)
    return read_pool(folder, context.config)


def _make_pool(context: RunContext, on_pairs: OnPairs | None) -> None:
    """Write all files of the pool, `done.json` last."""
    folder = context.folder.pool
    instructions, drops = _select_instructions(context)
    if on_pairs:
        for start in range(0, len(instructions), _PART):
            on_pairs(make_pairs_by_calls(context, instructions[start : start + _PART]))
    pairs, pair_drops = make_pairs(context, instructions)
    drops = [*drops, *pair_drops]
    splits = group_by_split(pairs, context.config)
    _check_splits(splits, context.config, drops)
    replace_records(folder / "instructions.jsonl", instructions)
    replace_records(folder / "pairs.jsonl", pairs)
    replace_records(folder / "drops.jsonl", drops)
    counts = {name: len(group) for name, group in splits.items()}
    done = {
        "instructions": len(instructions),
        "pairs": counts,
        "drops": dict(count_reasons(drops)),
        "files": write_held_out(folder, splits),
        "cost": _generator_cost(context),
        **read_scrub_counts(folder),
    }
    replace_json(folder / "done.json", done)
    context.stores.close()
    _report_pool(context, done, len(drops))


def _select_instructions(context: RunContext) -> tuple[list[Instruction], list[Drop]]:
    """Return the instructions that are read, private data removed, labelled and selected."""
    instructions, unread = read_usable_instructions(context, context.folder.root)
    unlabelled: list[Drop] = []
    if context.config.selection.label:
        instructions, unlabelled = _label(context, instructions)
    selected, unselected = select_instructions(context, instructions)
    return selected, [*unread, *unlabelled, *unselected]


def read_usable_instructions(
    context: RunContext, root: Path
) -> tuple[list[Instruction], list[Drop]]:
    """Return the sources' instructions, private data removed, but those that a run has forgotten.

    `root` is that run's folder; what was removed is reported in the context's own pool.
    """
    config = context.config
    instructions, unread = read_instructions(
        config.instructions,
        context.base,
        lambda name: find_contribution(context.plugins, "ste_sources", name, "instructions.reader"),
    )
    usable, private = apply_privacy(instructions, config.privacy, root, context.folder.pool)
    return usable, [*unread, *private]


def select_instructions(
    context: RunContext, instructions: Sequence[Instruction]
) -> tuple[list[Instruction], list[Drop]]:
    """Return the instructions that the config's selectors keep, and a Drop for each other."""
    return select(
        instructions,
        context.config.selection,
        lambda name: find_contribution(
            context.plugins, "ste_selectors", name, "selection.selectors"
        ),
    )


def _label(
    context: RunContext, instructions: Sequence[Instruction]
) -> tuple[list[Instruction], list[Drop]]:
    labelled, drops = label(instructions, lambda prompts: ask_for_labels(context, prompts))
    if not labelled:
        raise DataError(
            f"selection.label: the generator's labels were not understood for any of {len(drops)} "
            "instructions; expected one JSON object per reply. Use a stronger generator, or set "
            "selection.label: false."
        )
    return labelled, drops


def _check_splits(
    splits: Mapping[Split, Sequence[ResponsePair]], config: RunConfig, drops: Sequence[Drop]
) -> None:
    """Raise DataError where a split that the config asks for has no pair."""
    fractions = {"dev": config.dataset.dev_fraction, "test": config.dataset.test_fraction}
    empty = [name for name, pairs in splits.items() if not pairs and fractions.get(name, 1)]
    if empty:
        counts = ", ".join(f"{name} {len(pairs)}" for name, pairs in splits.items())
        reasons = list_commonest(count_reasons(drops)) or "  (nothing was dropped)"
        raise DataError(
            f"No pair is left for {' and '.join(empty)} ({counts}). Dropped on the way:\n"
            f"{reasons}\nGive more instructions, or fix what drops them, or change "
            "dataset.dev_fraction and test_fraction."
        )


def _generator_cost(context: RunContext) -> dict[str, Any]:
    """Return the tokens that the generator read and wrote, and their cost if it has prices."""
    stores = [context.stores.open(path) for path in context.folder.pool.glob("*.completions.jsonl")]
    read, written = sum(s.prompt_tokens for s in stores), sum(s.completion_tokens for s in stores)
    prices = read_prices(context.generator_model.options)
    return {
        "prompt_tokens": read,
        "generated_tokens": written,
        "cost": prices.cost(read, written) if prices else None,
    }


def _report_pool(context: RunContext, done: Mapping[str, Any], dropped: int) -> None:
    counts, instructions = done["pairs"], done["instructions"]
    context.progress.event("pool", instructions=instructions, pairs=counts, drops=done["drops"])
    splits = ", ".join(f"{n} {name}" for name, n in counts.items())
    context.progress.say(
        f"pool: {instructions} instructions, {sum(counts.values())} pairs ({splits}), "
        f"{dropped} dropped"
    )
