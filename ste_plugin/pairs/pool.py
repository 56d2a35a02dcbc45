"""The pool of a run: instructions read and selected, response pairs made, instructions held out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ste_plugin.config import RunConfig
from ste_plugin.context import RunContext
from ste_plugin.engines.http.prices import read_prices
from ste_plugin.errors import DataError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.instructions.privacy import apply_privacy, read_scrub_counts
from ste_plugin.instructions.selection import label, select
from ste_plugin.instructions.sources import read_instructions
from ste_plugin.pairs.generate import ask_labels, made_by_calls, make_pairs
from ste_plugin.pairs.strategies import pair_key
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Instruction, ResponsePair, Split, content_key
from ste_plugin.storage.jsonl import (
    iter_record_spans,
    iter_records,
    read_derived_json,
    read_rows,
    replace_json,
    replace_records,
    replace_rows,
)
from ste_plugin.storage.pair_index import PairIndex

OnPairs = Callable[[Sequence[ResponsePair]], object]
_PART = 512
"""Instructions whose pairs are finished before the next ones are begun, where somebody waits for them."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What all iterations share."""

    pairs: dict[Split, PairIndex]
    files: dict[str, Path]
    """`dev` and `test`: labelled pairs as evaluation reads them."""
    drops: dict[str, int]
    """`STAGE: REASON` → how many instructions and pairs were left out."""


def split_of(instruction_key: str, config: RunConfig) -> Split:
    """Return where everything made from an instruction belongs, in every iteration.

    Decided by the key and the run's seed alone, so that a larger pool moves no instruction.
    """
    place = int(content_key("split", config.seed, instruction_key), 16) / 16**16
    if place < config.dataset.test_fraction:
        return "test"
    if place < config.dataset.test_fraction + config.dataset.dev_fraction:
        return "dev"
    return "train"


def prepare_pool(context: RunContext, on_pairs: OnPairs | None = None) -> Pool:
    """Return the pool, made now or read back where `done.json` says that it is whole.

    `on_pairs` hears of pairs while others are still being written; it makes the pool no other one.
    Raises: DataError where a split that is needed came out empty.
    """
    folder = context.folder.pool
    if not (folder / "done.json").exists():
        _make_pool(context, folder, on_pairs)
    done = read_derived_json(folder / "done.json", _told)
    pairs, odd = _pairs_by_split(folder / "pairs.jsonl", context.config)
    files = {name: folder / file for name, file in done["files"].items()}
    _check_whole(folder, done, pairs, odd)
    return Pool(pairs, files, done["drops"])


def _pairs_by_split(path: Path, config: RunConfig) -> tuple[dict[Split, PairIndex], str]:
    """Return the pairs of each split, and the key of one that is not what its key says, or none."""
    found: dict[Split, PairIndex] = {s: PairIndex(path) for s in ("train", "dev", "test")}
    odd = ""
    for pair, start, end in iter_record_spans(path, ResponsePair):
        found[split_of(pair.instruction_key, config)].add(start, end)
        if pair.key != pair_key(pair):
            odd = pair.key
    return found, odd


def _told(done: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what `done.json` says of the other files."""
    return {name: dict(done[name]) for name in ("pairs", "drops", "files")}


def _check_whole(
    folder: Path, done: Mapping[str, Any], pairs: Mapping[Split, PairIndex], odd: str
) -> None:
    """Raise DataError for a file that is not the one that `done.json` was written for."""
    counts = {name: len(found) for name, found in pairs.items()}
    reasons = Counter(f"{d.stage}: {d.reason}" for d in iter_records(folder / "drops.jsonl", Drop))
    wrong = {
        "pairs.jsonl": f"pair {odd!r} is not what its key says" if odd else
        f"{counts} pairs, expected {done['pairs']}" if counts != done["pairs"] else "",
        "drops.jsonl": "other drops than done.json counts" if reasons != done["drops"] else "",
    }  # fmt: skip
    for name, file in done["files"].items():
        held_out = _held_out_rows(pairs.get(name, ()))
        rows = (row for _, row in read_rows(folder / file))
        if any(one != other for one, other in zip_longest(held_out, rows)):
            wrong[file] = "other pairs than pairs.jsonl has"
    for file, found in wrong.items():
        if found:
            raise DataError(
                f"{folder / file}: changed since it was written ({found}). Derived file: remove it and "
                f"{folder / 'done.json'}, and run the same command again; nothing is paid for twice."
            )


def _make_pool(context: RunContext, folder: Path, on_pairs: OnPairs | None) -> None:
    instructions, drops = _select(context)
    if on_pairs:
        for start in range(0, len(instructions), _PART):
            on_pairs(made_by_calls(context, instructions[start : start + _PART]))
    pairs, more = make_pairs(context, instructions)
    drops += more
    splits = {name: [p for p in pairs if split_of(p.instruction_key, context.config) == name]
              for name in ("train", "dev", "test")}  # fmt: skip
    _check_splits(splits, context.config, drops)
    replace_records(folder / "instructions.jsonl", instructions)
    replace_records(folder / "pairs.jsonl", pairs)
    replace_records(folder / "drops.jsonl", drops)
    files = {n: _write_held_out(folder, n, splits[n]) for n in ("dev", "test") if splits[n]}
    reasons = dict(Counter(f"{d.stage}: {d.reason}" for d in drops))
    counts = {name: len(found) for name, found in splits.items()}
    replace_json(
        folder / "done.json",
        {"instructions": len(instructions), "pairs": counts, "drops": reasons, "files": files,
         "cost": _cost(context), **read_scrub_counts(folder)},
    )  # fmt: skip
    context.progress.event("pool", instructions=len(instructions), pairs=counts, drops=reasons)
    context.progress.say(
        f"pool: {len(instructions)} instructions, {len(pairs)} pairs "
        f"({counts['train']} train, {counts['dev']} dev, {counts['test']} test), {len(drops)} dropped"
    )


def _select(context: RunContext) -> tuple[list[Instruction], list[Drop]]:
    config = context.config
    found, drops = read_instructions(
        config.instructions,
        context.base,
        lambda name: find_contribution(context.plugins, "ste_sources", name, "instructions.reader"),
    )
    found, more = apply_privacy(found, config.privacy, context.folder.root, context.folder.pool)
    drops += more
    if config.selection.label:
        found, more = label(found, lambda prompts: ask_labels(context, prompts))
        drops += more
        if not found:
            raise DataError(
                f"selection.label: the generator's labels were not understood for any of {len(more)} "
                "instructions; expected one JSON object a reply. Use a stronger generator, or set "
                "selection.label: false."
            )
    kept, more = select(
        found,
        config.selection,
        lambda name: find_contribution(
            context.plugins, "ste_selectors", name, "selection.selectors"
        ),
    )
    return kept, drops + more


def _cost(context: RunContext) -> dict[str, Any]:
    """Return what the generator read and wrote, and its price where the config names prices."""
    files = [CompletionStore(path) for path in context.folder.pool.glob("*.completions.jsonl")]
    read, written = (sum(f.prompt_tokens for f in files), sum(f.completion_tokens for f in files))
    prices = read_prices(context.generator_model.options)
    return {
        "prompt_tokens": read,
        "generated_tokens": written,
        "cost": prices.cost(read, written) if prices else None,
    }


def _check_splits(
    splits: dict[str, list[ResponsePair]], config: RunConfig, drops: Sequence[Drop]
) -> None:
    fractions = {"dev": config.dataset.dev_fraction, "test": config.dataset.test_fraction}
    needed = ["train", *(name for name, share in fractions.items() if share)]
    empty = [name for name in needed if not splits[name]]
    if empty:
        reasons = Counter(f"{d.stage}: {d.reason}" for d in drops).most_common(5)
        told = "\n".join(f"  {n} x {reason}" for reason, n in reasons) or "  (nothing was dropped)"
        raise DataError(
            f"No pair is left for {' and '.join(empty)} "
            f"({', '.join(f'{n} {len(p)}' for n, p in splits.items())}). Dropped on the way:\n{told}\n"
            "Give more instructions, or mend what drops them, or change dataset.dev_fraction and "
            "test_fraction."
        )


def _write_held_out(folder: Path, name: str, pairs: Sequence[ResponsePair]) -> str:
    rows = list(_held_out_rows(pairs))
    file = f"{name}-{content_key(rows)}.jsonl"
    replace_rows(folder / file, rows)
    return file


def _held_out_rows(pairs: Iterable[ResponsePair]) -> Iterator[dict[str, Any]]:
    return (
        {
            "id": p.key,
            "subset": p.strategy,
            "prompt": p.instruction,
            "chosen": p.better,
            "rejected": p.worse,
        }
        for p in pairs
    )
