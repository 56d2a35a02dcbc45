"""Contamination: training instructions that repeat what the judge is measured on."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.config.instructions import Measure
from ste_plugin.context import PromptSet, RunContext
from ste_plugin.errors import DataError
from ste_plugin.instructions.selection.contamination import (
    MEASURES,
    Comparison,
    Overlap,
    describe_shared,
)
from ste_plugin.pairs.given import given_prompts
from ste_plugin.pairs.pool_files import HELD_OUT, split_of
from ste_plugin.records import Instruction, ResponsePair, Split
from ste_plugin.storage.jsonl import iter_records, read_json

CHECK = "contamination"
DROPPING: tuple[Measure, ...] = ("exact", "near-duplicate", "8-grams")
"""What counts as contaminated where no config says otherwise."""
_WHOLE: tuple[Measure, ...] = ("exact", "near-duplicate")
EXAMPLES = 3
"""Of each benchmark and measure."""
_SHOWN_CHARS = 160
_CURE = "Train without them: `ste run CONFIG --from pool` drops them before anything is paid for."
_CURE_HELD_OUT = (
    "Have near duplicates dropped before the split (selection.selectors), and `ste run CONFIG "
    "--from pool`."
)


Examples = defaultdict[str, dict[Measure, list[tuple[Overlap, str]]]]


@dataclass(frozen=True, slots=True)
class Contamination:
    """What was found of some instructions and sets of prompts."""

    summary: Mapping[str, Any]
    """As `Comparison.summary`."""
    examples: Mapping[str, Mapping[Measure, list[tuple[Overlap, str]]]]
    """Benchmark → measure → the first few overlaps, each with the instruction's text."""

    def counts(self, name: str, by: Collection[Measure]) -> dict[Measure, int]:
        """Return how many instructions repeat a prompt of a benchmark by each of some measures."""
        counts = self.summary["benchmarks"][name]["instructions"]
        return {measure: counts[measure] for measure in by if counts[measure]}

    def example(self, name: str, by: Iterable[Measure]) -> str:
        """Return the words of one overlap by the first measure that has one, and where it is."""
        overlap, _ = next(e for measure in by for e in self.examples[name][measure])
        return f"as “{overlap.quote}” ({overlap.source}; {overlap.prompt})"


def find_contamination(
    instructions: Iterable[Instruction], sets: Sequence[PromptSet], threshold: float
) -> Contamination:
    """Compare instructions with sets of prompts; a few examples of each are kept."""
    comparison = Comparison(sets, threshold)
    examples: Examples = defaultdict(lambda: {measure: [] for measure in MEASURES})
    for instruction, overlaps in comparison.compare(instructions):
        for overlap in overlaps:
            if len(known := examples[overlap.benchmark][overlap.measure]) < EXAMPLES:
                known.append((overlap, instruction.text))
    return Contamination(comparison.summary(), examples)


def check_contamination(context: RunContext, iteration: int) -> Iterator[Finding]:  # noqa: ARG001
    """Yield what of each benchmark, and of the held-out pairs, is among the training instructions.

    They are compared with what the config names now, whatever the pool was made with.
    Raises: DataError where the run has no instructions yet, or a file cannot be read.
    """
    path = context.folder.pool / "done.json"
    if not path.exists():
        raise DataError(
            f"{path}: no pool there, so no instructions to look at. Run `ste run` first."
        )
    selection, kept_out = context.config.selection, context.read_kept_out(context)
    held_out = [_held_out_prompts(context, split) for split in HELD_OUT]
    sets = [*kept_out, *(prompts for prompts in held_out if prompts.prompts)]
    found = find_contamination(
        _instructions(context, "train"), sets, selection.near_duplicate_threshold
    )
    before = read_json(path).get("kept_out", {}).get("benchmarks", {})
    for prompts in sets:
        if prompts.problem:
            yield _unread(prompts)
            continue
        ours = prompts in held_out
        by = [m for m in selection.keep_out_by if not ours or m in _WHOLE]
        cure = _CURE_HELD_OUT if ours else _CURE
        yield _repeated(found, prompts.name, by, cure, before.get(prompts.name))
        others = [measure for measure in MEASURES if measure not in by]
        if found.counts(prompts.name, others):
            yield _told(found, prompts.name, others)


def _instructions(context: RunContext, split: Split) -> Iterator[Instruction]:
    """Yield the prompts of a split, those of given pairs last."""
    pool = context.folder.pool
    for instruction in iter_records(pool / "instructions.jsonl", Instruction):
        if split_of(instruction.conversation, context.config) == split:
            yield instruction
    pairs = iter_records(pool / "pairs.jsonl", ResponsePair)
    yield from given_prompts(p for p in pairs if split_of(p.split_key, context.config) == split)


def _held_out_prompts(context: RunContext, split: Split) -> PromptSet:
    texts = [(i.key, i.text) for i in _instructions(context, split)]
    return PromptSet(f"the run's own {split} pairs", texts)


def _unread(prompts: PromptSet) -> Finding:
    words = f"its prompts could not be read: {prompts.problem}"
    return Finding(CHECK, "repeated prompts", prompts.name, None, None, 0.0, 0, False, words)


def _repeated(
    found: Contamination,
    name: str,
    by: Sequence[Measure],
    cure: str,
    before: Mapping[str, Any] | None,
) -> Finding:
    """Return how many training instructions repeat prompts by the measures that drop them.

    `before`: what the pool counted of the benchmark, whose instructions it left out.
    """
    counts, n = found.counts(name, by), found.summary["compared"]
    number, prompts = sum(counts.values()), found.summary["benchmarks"][name]["prompts"]
    words = f"{number:,} of {n:,} training instructions repeat one of {prompts:,} prompts"
    words += f" ({_listed(counts)}), {found.example(name, by)}." if number else "."
    if before and (dropped := sum(before["instructions"][measure] for measure in by)):
        words += f" {dropped:,} were left out before anything was generated."
    if shared := describe_shared(found.summary["benchmarks"][name]):
        words += f" {shared[:1].upper()}{shared[1:]}."
    threshold = 0.0 if by else None
    return Finding(
        CHECK,
        "repeated prompts",
        name,
        float(number),
        None,
        threshold,
        n,
        number > 0,
        words,
        cure if number else "",
    )


def _told(found: Contamination, name: str, by: Sequence[Measure]) -> Finding:
    """Return how many training instructions share words with prompts, and need not be dropped."""
    counts, n = found.counts(name, by), found.summary["compared"]
    number = sum(counts.values())
    words = (
        f"{number:,} of {n:,} training instructions share words with its prompts "
        f"({_listed(counts)}), {found.example(name, by)}; told, not dropped."
    )
    return Finding(CHECK, "shared words", name, float(number), None, None, n, False, words)


def _listed(counts: Mapping[Measure, int]) -> str:
    return ", ".join(f"{measure} {count:,}" for measure, count in counts.items())


def contaminated(found: Contamination) -> list[str]:
    """Return the names of the benchmarks of which prompts are repeated."""
    return [name for name in found.summary["benchmarks"] if found.counts(name, DROPPING)]


def format_contamination(found: Contamination, left_out: Mapping[str, int]) -> Iterator[str]:
    """Yield the lines that tell people what was found in others' data, with examples.

    `left_out`: reason → how many of its rows had no instruction.
    """
    yield f"{found.summary['compared']:,} instructions compared."
    for reason, count in left_out.items():
        yield f"{count:,} rows left out: {reason}."
    for name, counts in found.summary["benchmarks"].items():
        yield ""
        short = f"{counts['short']:,} of them too short for 8-grams"
        yield f"{name}: {counts['prompts']:,} prompts, {short}"
        if shared := describe_shared(counts):
            yield f"  {shared}"
        for measure in MEASURES:
            told = counts["instructions"][measure]
            yield f"  {measure:<15}{told:>8,} instructions, {counts['found'][measure]:,} prompts"
        for measure in MEASURES:
            for overlap, text in found.examples[name][measure]:
                yield f"  {measure} ({overlap.figure:.2f}): {overlap.source}: {_short(text)}"
                yield f"    {overlap.prompt}: “{overlap.quote}”"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]}…"
