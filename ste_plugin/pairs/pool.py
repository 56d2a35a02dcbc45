"""The pool of a run: instructions read and selected, response pairs made, some of them held out."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ste_plugin.context import RunContext
from ste_plugin.errors import DataError
from ste_plugin.inference.budget import RAISE_IT
from ste_plugin.inference.completion_store import find_completions
from ste_plugin.instructions.privacy import apply_privacy, read_scrub_counts, remove_report
from ste_plugin.instructions.selection import label, select
from ste_plugin.instructions.selection.contamination import KeptOut, OnOverlap, describe_counts
from ste_plugin.instructions.sources import read_instructions
from ste_plugin.pairs.generate import ask_for_labels, make_pairs, make_pairs_by_calls
from ste_plugin.pairs.given import read_given_pairs
from ste_plugin.pairs.near_given import keep_near_together
from ste_plugin.pairs.pool_files import Pool, Splits, is_settled, read_pool, write_held_out
from ste_plugin.pairs.shown_columns import check_shown, columns_to_show
from ste_plugin.pairs.writers import writing_cost
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Instruction, ResponsePair, Split
from ste_plugin.storage.drop_log import (
    DropLog,
    OnDrop,
    list_commonest,
    open_drop_log,
    without_drops,
)
from ste_plugin.storage.jsonl import (
    encode_record,
    open_record_writer,
    open_replacement,
    replace_json,
)
from ste_plugin.storage.record_sequence import RecordSequence, write_records
from ste_plugin.storage.run_layout import GIVEN, LABELLED, OVERLAPS, READ

OnPairs = Callable[[Sequence[ResponsePair]], object]
_PART = 512
"""How many instructions' pairs are made before `on_pairs` gets them."""


def prepare_pool(context: RunContext, on_pairs: OnPairs | None = None) -> Pool:
    """Return the pool, made now unless it is there (`is_pool_made`).

    `on_pairs` gets pairs while others are still being written; the pool is the same without it.
    Raises: DataError where a split that is needed is empty, or a file of the pool was changed.
    """
    folder = context.folder.pool
    if is_pool_made(context):
        pool = read_pool(folder, context.config)
        check_shown(pool.pairs.values(), columns_to_show(context), folder)
        return pool
    return _make_pool(context, on_pairs)


def is_pool_made(context: RunContext) -> bool:
    """Return whether there is a pool to go on with: a settled one, or one that was cut short by the
    budget that is still used up."""
    done = context.folder.pool / "done.json"
    return is_settled(context.folder) or (done.exists() and context.budget.used_up)


def _make_pool(context: RunContext, on_pairs: OnPairs | None) -> Pool:
    """Write all files of the pool, `done.json` last; memory holds where records are in them.

    The seed was measured on another one, if at all: what of it is the same is found again.
    """
    folder = context.folder.pool
    for marker in (folder / "done.json", context.folder.iteration(0) / "done.json"):
        marker.unlink(missing_ok=True)
    kept_out = KeptOut(context.read_kept_out(context), context.config.selection)
    remove_report(folder)
    with (
        read_given_pairs(context) as read,
        open_drop_log(folder / "drops.jsonl") as drops,
        _removed_at_the_end(folder / GIVEN),
    ):
        with open_record_writer(folder / OVERLAPS) as tell:
            labelled = read.pairs(context.folder.root, kept_out, drops.drop, tell)
            given = write_records(folder / GIVEN, ResponsePair, labelled)
            instructions = _write_instructions(context, kept_out, drops, tell)
        if on_pairs:
            for start in range(0, len(instructions), _PART):
                on_pairs(make_pairs_by_calls(context, instructions[start : start + _PART]))
        splits = _write_pairs(context, instructions, given, drops)
    done = {
        "instructions": len(instructions),
        "pairs": {name: len(pairs) for name, pairs in splits.items()},
        "drops": dict(drops.reasons),
        "kept_out": kept_out.summary(),
        "files": write_held_out(folder, splits),
        "cost": _writing_cost(context),
        "ended_by_budget": context.budget.stopped,
        **read_scrub_counts(folder),
    }
    replace_json(folder / "done.json", done)
    context.stores.close()
    _report_pool(context, done, drops.reasons.total())
    files = {name: folder / file for name, file in done["files"].items()}
    return Pool(splits, files, done["drops"], done["kept_out"], done["ended_by_budget"])


def _write_instructions(
    context: RunContext, kept_out: KeptOut, drops: DropLog, tell: OnOverlap
) -> RecordSequence[Instruction]:
    """Write the instructions that are read, private data removed, labelled and selected."""
    folder = context.folder.pool
    if not context.config.instructions:
        _report_kept_out(context, kept_out)
        return write_records(folder / "instructions.jsonl", Instruction, ())
    files = [folder / name for name in (READ, LABELLED)]
    with _removed_at_the_end(*files):
        usable = usable_instructions(context, context.folder.root, kept_out, drops.drop, tell)
        instructions = write_records(files[0], Instruction, usable)
        _report_kept_out(context, kept_out)
        if context.config.selection.label:
            labelled = _label(context, instructions, drops.drop)
            instructions = write_records(files[1], Instruction, labelled)
        selected, unselected = select_instructions(context, instructions)
        written = write_records(folder / "instructions.jsonl", Instruction, selected)
        drops.add(unselected)
    return written


@contextmanager
def _removed_at_the_end(*files: Path) -> Iterator[None]:
    """Remove files at the end of the block, whatever ends it."""
    try:
        yield
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _write_pairs(
    context: RunContext,
    instructions: RecordSequence[Instruction],
    given: RecordSequence[ResponsePair],
    drops: DropLog,
) -> dict[Split, RecordSequence[ResponsePair]]:
    """Write the pairs of all instructions, then the given ones; return those of each split."""
    together = keep_near_together(given, instructions, context.config)
    path = context.folder.pool / "pairs.jsonl"
    with open_replacement(path) as file:
        splits, start = Splits(path, context.config), 0
        made = make_pairs(context, instructions, drops.drop)
        for pair in chain(made, without_drops(together, drops.drop)):
            splits.add(pair, start)
            start += file.write(encode_record(pair))
        _check_splits(splits.pairs, context, drops.reasons)
    return splits.pairs


def usable_instructions(
    context: RunContext, root: Path, kept_out: KeptOut, drop: OnDrop, tell: OnOverlap
) -> Iterator[Instruction]:
    """Yield the sources' instructions, private data removed, but those that a run has forgotten,
    and those that repeat what it measures on.

    `root` is that run's folder; what was removed is reported in the context's own pool.
    """
    config = context.config
    rows = read_instructions(
        config.instructions,
        context.base,
        lambda name: find_contribution(context.plugins, "ste_sources", name, "instructions.reader"),
        context.judge_format.columns,
    )
    read = without_drops(rows, drop)
    scrubbed = apply_privacy(read, config.privacy, root, context.folder.pool)
    yield from without_drops(kept_out.without(without_drops(scrubbed, drop), tell), drop)


def _report_kept_out(context: RunContext, kept_out: KeptOut) -> None:
    """Say what was left out, and what could not be read.

    Raises: DataError where nothing is left.
    """
    summary = kept_out.summary()
    for name, problem in summary["unread"].items():
        context.progress.say(
            f"warning: the run measures on {name}, whose prompts could not be read, so that they "
            f"are not kept out of the training: {problem}"
        )
    if not summary["benchmarks"]:
        return
    found = "; ".join(describe_counts(*item) for item in summary["benchmarks"].items())
    context.progress.say(
        f"pool: {kept_out.dropped} of {summary['compared']} instructions repeat what is measured "
        f"on and are left out. {found}"
    )
    if kept_out.dropped == summary["compared"]:
        raise DataError(
            f"selection: all {kept_out.dropped} instructions repeat prompts that are kept out "
            f"({found}). Give other instructions, or measure on other pairs; `ste audit "
            "--benchmark FILE --against FILE` shows what they share."
        )


def select_instructions(
    context: RunContext, instructions: Sequence[Instruction]
) -> tuple[Sequence[Instruction], Iterator[Drop]]:
    """Return the instructions that the config's selectors keep, and a Drop for each other."""
    return select(
        instructions,
        context.config.selection,
        lambda name: find_contribution(
            context.plugins, "ste_selectors", name, "selection.selectors"
        ),
    )


def _label(
    context: RunContext, instructions: Sequence[Instruction], drop: OnDrop
) -> Iterator[Instruction]:
    """Yield the instructions with labels. Raises: DataError where there is none."""
    labelled = label(instructions, partial(ask_for_labels, context))
    count = 0
    for instruction in without_drops(labelled, drop):
        count += 1
        yield instruction
    if not count and context.budget.stopped:
        raise DataError(
            f"selection.label: not one of {len(instructions)} instructions has its label. "
            f"{RAISE_IT}"
        )
    if not count:
        raise DataError(
            "selection.label: the generator's labels were not understood for any of "
            f"{len(instructions)} instructions; expected one JSON object per reply. Use a stronger "
            "generator, or set selection.label: false."
        )


def _check_splits(
    splits: Mapping[Split, Sequence[ResponsePair]], context: RunContext, drops: Counter[str]
) -> None:
    """Raise DataError where a split that the config asks for has no pair."""
    held_out = context.config.dataset
    fractions = {"dev": held_out.dev_fraction, "test": held_out.test_fraction}
    empty = [name for name, pairs in splits.items() if not pairs and fractions.get(name, 1)]
    if empty:
        counts = ", ".join(f"{name} {len(pairs)}" for name, pairs in splits.items())
        reasons = list_commonest(drops) or "  (nothing was dropped)"
        cure = (
            "Give more instructions, or fix what drops them, or change dataset.dev_fraction and "
            "test_fraction."
        )
        raise DataError(
            f"No pair is left for {' and '.join(empty)} ({counts}). Dropped on the way:\n"
            f"{reasons}\n{RAISE_IT if context.budget.stopped else cure}"
        )


def _writing_cost(context: RunContext) -> dict[str, Any]:
    """Return the tokens that were read and written, and their cost by the models with prices."""
    stores = [context.stores.open(path) for path in find_completions(context.folder.pool)]
    return {
        "prompt_tokens": sum(store.prompt_tokens for store in stores),
        "generated_tokens": sum(store.completion_tokens for store in stores),
        "cost": writing_cost(context, stores),
    }


def _report_pool(context: RunContext, done: Mapping[str, Any], dropped: int) -> None:
    counts, instructions = done["pairs"], done["instructions"]
    context.progress.event("pool", instructions=instructions, pairs=counts, drops=done["drops"])
    splits = ", ".join(f"{n} {name}" for name, n in counts.items())
    context.progress.say(
        f"pool: {instructions} instructions, {sum(counts.values())} pairs ({splits}), "
        f"{dropped} dropped" + (" (the budget ended it)" if done["ended_by_budget"] else "")
    )
