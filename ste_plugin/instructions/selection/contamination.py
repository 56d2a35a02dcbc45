"""Contamination: instructions that repeat a benchmark's prompts are told, counted and left out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from ste_plugin.config.instructions import Measure
from ste_plugin.context import PromptSet
from ste_plugin.records import Drop, Instruction, Record

if TYPE_CHECKING:
    from ste_plugin.config import SelectionConfig
    from ste_plugin.instructions.selection.prompt_index import Match

MEASURES: tuple[Measure, ...] = ("exact", "near-duplicate", "8-grams", "13-grams")
_BATCH = 2048


class Overlap(Record, frozen=True):
    """An instruction that repeats a prompt of a benchmark."""

    key: str
    """Of the instruction."""
    source: str
    """Where it was read."""
    benchmark: str
    """Or the file, as the config names it."""
    prompt: str
    """The id of the prompt; of the one that it repeats most, where there are several."""
    measure: Measure
    """The strictest by which it does."""
    figure: float
    """The similarity of the two (exact, near-duplicate), or the share of the prompt's words that
    lie in 8-grams of the instruction."""
    quote: str
    """Words that both have, as they are compared: in small letters, without punctuation."""


OnOverlap = Callable[[Overlap], object]
Overlaps = Iterator[tuple[Instruction, list[Overlap]]]


class Comparison:
    """Instructions against sets of prompts, counted as they are compared."""

    def __init__(self, sets: Sequence[PromptSet], threshold: float) -> None:
        """`threshold`: similarity from which two texts are near duplicates."""
        self._sets = [prompts for prompts in sets if not prompts.problem]
        self._unread = {prompts.name: prompts.problem for prompts in sets if prompts.problem}
        self._threshold = threshold
        self.compared = 0
        """How many instructions."""
        self._counts: list[Counter[Measure]] = [Counter() for _ in self._sets]
        self._found: list[dict[Measure, int]] = [{} for _ in self._sets]
        self._short = [0 for _ in self._sets]

    def compare(self, instructions: Iterable[Instruction]) -> Overlaps:
        """Yield each instruction with what it repeats: of each set, what it repeats most."""
        if not self._sets:
            yield from ((instruction, []) for instruction in instructions)
            return
        from ste_plugin.instructions.selection.candidates import GRAM  # imports numpy
        from ste_plugin.instructions.selection.prompt_index import PromptIndex

        index = PromptIndex([[text for _, text in s.prompts] for s in self._sets], self._threshold)
        ids = [key for prompts in self._sets for key, _ in prompts.prompts]
        for number in range(len(ids)):
            self._short[index.set_of(number)] += index.length(number) < GRAM
        incoming = iter(instructions)
        while batch := list(islice(incoming, _BATCH)):
            self.compared += len(batch)
            matches = index.find([instruction.text for instruction in batch])
            for instruction, found in zip(batch, matches, strict=True):
                yield (
                    instruction,
                    [
                        self._overlap(
                            instruction, index.set_of(match.prompt), ids[match.prompt], match
                        )
                        for match in found
                    ],
                )
        for measure, prompts in index.found.items():
            for number, count in Counter(map(index.set_of, prompts)).items():
                self._found[number][measure] = count

    def _overlap(
        self, instruction: Instruction, number: int, prompt: str, match: "Match"
    ) -> Overlap:
        self._counts[number][match.measure] += 1
        return Overlap(
            instruction.key,
            instruction.source,
            self._sets[number].name,
            prompt,
            match.measure,
            round(match.figure, 4),
            match.quote,
        )

    def summary(self) -> dict[str, Any]:
        """Return the counts: `compared`, `benchmarks` by name, and why others were not `read`.

        Of a benchmark: its `prompts`, how many are too `short` for 8-grams, how many are `found`
        by each measure, and how many instructions repeat one by each measure (the strictest).
        """
        benchmarks = {
            prompts.name: {
                "prompts": len(prompts.prompts),
                "short": short,
                "found": {m: found.get(m, 0) for m in MEASURES},
                "instructions": {m: counts[m] for m in MEASURES},
            }
            for prompts, short, found, counts in zip(
                self._sets, self._short, self._found, self._counts, strict=True
            )
        }
        return {"compared": self.compared, "benchmarks": benchmarks, "unread": self._unread}


class KeptOut:
    """Leaves out the instructions that repeat what is measured on."""

    def __init__(self, sets: Sequence[PromptSet], config: "SelectionConfig") -> None:
        self._comparison = Comparison(sets, config.near_duplicate_threshold)
        self._by: Collection[Measure] = config.keep_out_by
        self.dropped = 0
        """How many instructions were left out."""

    def without(
        self, instructions: Iterable[Instruction], tell: OnOverlap
    ) -> Iterator[Instruction | Drop]:
        """Yield the instructions in their order, and a Drop for each that is left out.

        `tell` gets every overlap, also those that drop nothing.
        """
        for instruction, overlaps in self._comparison.compare(instructions):
            for overlap in overlaps:
                tell(overlap)
            grave = [overlap for overlap in overlaps if overlap.measure in self._by]
            if grave:
                self.dropped += 1
                yield drop_of(min(grave, key=lambda o: MEASURES.index(o.measure)))
            else:
                yield instruction

    def summary(self) -> dict[str, Any]:
        """Return the counts of `Comparison.summary`, and how many were `dropped` in all."""
        return {**self._comparison.summary(), "dropped": self.dropped}


def drop_of(overlap: Overlap) -> Drop:
    """Return why an instruction is left out."""
    reason = f"repeats a prompt of {overlap.benchmark} ({overlap.measure})"
    return Drop("selection", overlap.key, reason)


def describe_counts(name: str, counts: Mapping[str, Any]) -> str:
    """Return what was found of one benchmark, in words."""
    found = {measure: n for measure, n in counts["instructions"].items() if n}
    told = ", ".join(f"{measure} {n}" for measure, n in found.items())
    return f"{name} ({counts['prompts']} prompts): {told or 'none'}"
