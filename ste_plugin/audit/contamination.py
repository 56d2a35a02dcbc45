"""Contamination: training instructions that repeat what the judge is measured on."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.config.instructions import Measure
from ste_plugin.context import PromptSet, RunContext
from ste_plugin.errors import DataError
from ste_plugin.instructions.selection.contamination import MEASURES, Comparison, Overlap
from ste_plugin.pairs.pool_files import HELD_OUT, split_of
from ste_plugin.records import Instruction, Split
from ste_plugin.storage.jsonl import iter_records, read_json

CHECK = "contamination"
DROPPING: tuple[Measure, ...] = ("exact", "near-duplicate", "8-grams")
"""What counts as contaminated where no config says otherwise."""
_WHOLE: tuple[Measure, ...] = ("exact", "near-duplicate")
_EXAMPLES = 3
_CURE = "Train without them: `ste run CONFIG --from pool` drops them before anything is paid for."
_CURE_HELD_OUT = (
    "Have near duplicates dropped before the split (selection.selectors), and `ste run CONFIG "
    "--from pool`."
)


@dataclass
class Contamination:
    """What was found of some instructions and sets of prompts."""

    summary: Mapping[str, Any]
    """As `Comparison.summary`."""
    examples: dict[str, list[tuple[Overlap, str]]] = field(default_factory=dict)
    """Benchmark → its strictest overlaps, each with the instruction's text."""

    def repeating(self, name: str, by: Collection[Measure]) -> int:
        """Return how many instructions repeat a prompt of a benchmark by some measures."""
        counts = self.summary["benchmarks"][name]["instructions"]
        return sum(counts[measure] for measure in by)


def find_contamination(
    instructions: Iterator[Instruction], sets: Sequence[PromptSet], threshold: float
) -> Contamination:
    """Compare instructions with sets of prompts; a few examples of each are kept."""
    comparison = Comparison(sets, threshold)
    examples: dict[str, list[tuple[Overlap, str]]] = {}
    for instruction, overlaps in comparison.compare(instructions):
        for overlap in overlaps:
            known = examples.setdefault(overlap.benchmark, [])
            known.append((overlap, instruction.text))
            known.sort(key=lambda e: MEASURES.index(e[0].measure))
            del known[_EXAMPLES:]
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
        yield _repeated(found, prompts.name, by, _CURE_HELD_OUT if ours else _CURE, before)
        if told := found.repeating(prompts.name, [m for m in MEASURES if m not in by]):
            yield _told(found, prompts.name, told)


def _instructions(context: RunContext, split: Split) -> Iterator[Instruction]:
    for instruction in iter_records(context.folder.pool / "instructions.jsonl", Instruction):
        if split_of(instruction.key, context.config) == split:
            yield instruction


def _held_out_prompts(context: RunContext, split: Split) -> PromptSet:
    texts = [(i.key, i.text) for i in _instructions(context, split)]
    return PromptSet(f"the run's own {split} pairs", texts)


def _unread(prompts: PromptSet) -> Finding:
    words = f"its prompts could not be read: {prompts.problem}"
    return Finding(CHECK, "repeated prompts", prompts.name, None, None, 0.0, 0, False, words)


def _repeated(
    found: Contamination,
    name: str,
    by: Collection[Measure],
    cure: str,
    before: Mapping[str, Any],
) -> Finding:
    """Return how many training instructions repeat prompts so that they are to be dropped."""
    counts, n = found.summary["benchmarks"][name], found.summary["compared"]
    number = found.repeating(name, by)
    parts = ", ".join(f"{m} {counts['instructions'][m]}" for m in by if counts["instructions"][m])
    words = f"{number} of {n:,} training instructions repeat one of {counts['prompts']:,} prompts"
    words += f" ({parts}){_example(found, name)}." if number else "."
    if dropped := _dropped(before.get(name), by):
        words += f" {dropped:,} were left out before anything was generated."
    threshold = 0.0 if by else None
    failed = bool(number)
    return Finding(
        CHECK,
        "repeated prompts",
        name,
        float(number),
        None,
        threshold,
        n,
        failed,
        words,
        cure if failed else "",
    )


def _dropped(counts: Mapping[str, Any] | None, by: Collection[Measure]) -> int:
    return sum(counts["instructions"][m] for m in by) if counts else 0


def _told(found: Contamination, name: str, number: int) -> Finding:
    """Return how many training instructions share words with prompts, and need not be dropped."""
    counts, n = found.summary["benchmarks"][name]["instructions"], found.summary["compared"]
    parts = ", ".join(f"{m} {counts[m]}" for m in MEASURES if counts[m])
    words = f"{number} of {n:,} training instructions share words with its prompts ({parts})"
    words += f"{_example(found, name)}; told, not dropped."
    return Finding(CHECK, "shared words", name, float(number), None, None, n, False, words)


def _example(found: Contamination, name: str) -> str:
    overlap, _ = found.examples[name][0]
    return f", as “{overlap.quote}” ({overlap.source}; {overlap.prompt})"
