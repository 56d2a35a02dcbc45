"""Contamination: instructions that repeat a benchmark's prompts are told, counted and left out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from ste_plugin.config.instructions import Measure
from ste_plugin.context import PromptSet
from ste_plugin.records import Drop, Instruction, Record
from ste_plugin.text.turns import user_turns

if TYPE_CHECKING:
    from ste_plugin.config import SelectionConfig
    from ste_plugin.instructions.selection.hashed_texts import HashedTexts
    from ste_plugin.instructions.selection.prompt_index import Match, PromptIndex

MEASURES: tuple[Measure, ...] = ("exact", "near-duplicate", "8-grams", "13-grams")
LEAST_CHARS = 30
"""Of a turn that is compared by itself, too: shorter ones say as little as `Go on.`"""
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
    lie in 8-grams of the instruction; without what many prompts share."""
    quote: str
    """Words that both have, as they are compared: in small letters, without punctuation and what
    many prompts share."""


OnOverlap = Callable[[Overlap], object]
Overlaps = Iterator[tuple[Instruction, list[Overlap]]]


class Comparison:
    """Instructions against sets of prompts, counted as they are compared."""

    def __init__(self, sets: Sequence[PromptSet], threshold: float) -> None:
        """`threshold`: similarity from which two texts are near duplicates."""
        self._sets = [prompts for prompts in sets if not prompts.problem]
        self._unread = {prompts.name: prompts.problem for prompts in sets if prompts.problem}
        self.compared = 0
        """How many instructions."""
        self._counts: list[Counter[Measure]] = [Counter() for _ in self._sets]
        self._indexes: list[PromptIndex] = []
        if self._sets:
            self._hash_texts, self._indexes = _index(self._sets, threshold)

    def compare(self, instructions: Iterable[Instruction]) -> Overlaps:
        """Yield each instruction with what it repeats: of each set, what it repeats most."""
        if not self._sets:
            yield from ((instruction, []) for instruction in instructions)
            return
        incoming = iter(instructions)
        while batch := list(islice(incoming, _BATCH)):
            self.compared += len(batch)
            texts = [_texts_of(instruction) for instruction in batch]
            hashed = self._hash_texts(list(chain.from_iterable(texts)))
            found = [index.find(hashed) for index in self._indexes]
            end = 0
            for instruction, own in zip(batch, texts, strict=True):
                start, end = end, end + len(own)
                matches = [
                    (of_set, [of_texts[n] for n in range(start, end) if n in of_texts])
                    for of_set, of_texts in enumerate(found)
                ]
                overlaps = [
                    self._overlap(instruction, of_set, min(of_text, key=_strictness))
                    for of_set, of_text in matches
                    if of_text
                ]
                yield instruction, overlaps

    def _overlap(self, instruction: Instruction, of_set: int, match: "Match") -> Overlap:
        self._counts[of_set][match.measure] += 1
        return Overlap(
            instruction.key,
            instruction.source,
            self._sets[of_set].name,
            self._sets[of_set].prompts[match.prompt][0],
            match.measure,
            round(match.figure, 4),
            match.quote,
        )

    def summary(self) -> dict[str, Any]:
        """Return the counts: `compared`, `benchmarks` by name, and why others were not `read`.

        Of a benchmark: its `prompts`, how many are too `short` for 8-grams, how many are `found`
        by each measure, and how many instructions repeat one by each measure (the strictest); and
        what was not compared as many of its prompts have it (`shared`): how many 8-grams, in how
        many prompts, and the longest as a quote.
        """
        benchmarks = {
            prompts.name: {
                "prompts": len(prompts.prompts),
                "short": index.short,
                "shared": index.shared._asdict(),
                "found": {m: len(index.found[m]) for m in MEASURES},
                "instructions": {m: counts[m] for m in MEASURES},
            }
            for prompts, index, counts in zip(self._sets, self._indexes, self._counts, strict=True)
        }
        return {"compared": self.compared, "benchmarks": benchmarks, "unread": self._unread}


def _texts_of(instruction: Instruction) -> list[str]:
    """Return what is compared: the text, the same without the system's words, and what the user
    says in each turn of a conversation."""
    said = (words for words in user_turns(instruction.text) if len(words) >= LEAST_CHARS)
    return list(dict.fromkeys([instruction.text, instruction.asked, *said]))


def _strictness(match: "Match") -> tuple[int, float]:
    return MEASURES.index(match.measure), -match.figure


def _index(
    sets: Sequence[PromptSet], threshold: float
) -> tuple[Callable[[Sequence[str]], "HashedTexts"], list["PromptIndex"]]:
    """Return what hashes texts, and the index of the prompts of each set."""
    from ste_plugin.instructions.selection.hashed_texts import HashedTexts  # imports numpy
    from ste_plugin.instructions.selection.prompt_index import PromptIndex
    from ste_plugin.instructions.selection.shingles import WordHashes

    hash_texts = partial(HashedTexts.of, hashes=WordHashes())
    indexes = list[PromptIndex]()
    for prompts in sets:
        numbers: dict[str, int] = {}
        owners = [numbers.setdefault(key, len(numbers)) for key, _ in prompts.prompts]
        texts = hash_texts([text for _, text in prompts.prompts])
        indexes.append(PromptIndex(texts, owners, threshold))
    return hash_texts, indexes


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
    shared = describe_shared(counts)
    return f"{name} ({counts['prompts']} prompts): {told or 'none'}{shared and f' ({shared})'}"


def describe_shared(counts: Mapping[str, Any]) -> str:
    """Return what of one benchmark was not compared, in words; '' where everything was."""
    shared = counts.get("shared", {})  # runs of an earlier version did not count it
    if not shared.get("grams"):
        return ""
    return (
        f"not counted, as {shared['prompts']:,} of its prompts share them: {shared['grams']:,} "
        f"8-grams, “{shorten(shared['quote'], 80, placeholder='…')}”"
    )
