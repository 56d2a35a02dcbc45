"""Selectors: each keeps some of the instructions, and gives a reason for each of the others."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.records import Drop, Instruction
from ste_plugin.storage.record_sequence import LazySequence, Subset

if TYPE_CHECKING:
    from ste_plugin.config import SelectionConfig

SelectorResult = tuple[Sequence[Instruction], Sequence[Drop]]
"""The instructions kept, and a Drop for each of the others."""

Selector = Callable[[Sequence[Instruction], "SelectionConfig"], SelectorResult]
"""(instructions, settings) → those kept, and a Drop for each of the others."""


def select(
    instructions: Sequence[Instruction],
    config: "SelectionConfig",
    selector_of: Callable[[str], "Selector"],
) -> tuple[Sequence[Instruction], Iterator[Drop]]:
    """Return what all of the config's selectors keep, in order, and every Drop on the way.

    Raises: DataError where nothing is left, with the counts by reason.
    """
    kept, drops = instructions, list[Sequence[Drop]]()
    for name in config.selectors:
        if kept:
            chosen, more = selector_of(name)(kept, config)
            # a plugin's may give an iterator, of which nobody could tell whether it is empty
            kept = chosen if isinstance(chosen, Sequence) else list(chosen)
            drops.append(more)
    if not kept:
        counts = Counter(drop.reason for drop in chain.from_iterable(drops)).most_common()
        reasons = ", ".join(f"{reason} {n}" for reason, n in counts) or "none came in"
        raise DataError(
            f"selection: no instruction is left of {len(instructions)} ({reasons}); expected at "
            "least one. Loosen the settings under `selection`, or give more instructions."
        )
    return kept, chain.from_iterable(drops)


class _Dropped(LazySequence[Drop]):
    """Drops of some instructions, made when they are asked for."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = instructions
        self._positions, self._numbers = array("q"), array("I")
        self._reasons: list[str] = []
        self._number_of: dict[str, int] = {}

    def add(self, position: int, reason: str) -> None:
        """Add the instruction at a position, and why it is dropped."""
        if reason not in self._number_of:
            self._number_of[reason] = len(self._reasons)
            self._reasons.append(reason)
        self._positions.append(position)
        self._numbers.append(self._number_of[reason])

    def __len__(self) -> int:
        return len(self._positions)

    def read(self, index: int) -> Drop:
        """Return the Drop at an index from 0."""
        key = self._instructions[self._positions[index]].key
        return Drop("selection", key, self._reasons[self._numbers[index]])


def _split_by_reason(
    instructions: Sequence[Instruction], reasons: Iterable[str | None]
) -> SelectorResult:
    """Return the instructions without a reason to drop them, and Drops for the others."""
    kept, dropped = array("q"), _Dropped(instructions)
    for position, reason in enumerate(reasons):
        if reason is None:
            kept.append(position)
        else:
            dropped.add(position, reason)
    return Subset(instructions, kept), dropped


def drop_exact_duplicates(
    instructions: Sequence[Instruction], _: "SelectionConfig"
) -> SelectorResult:
    """Keep the first of the instructions that differ in letter case and white space only."""
    from ste_plugin.instructions.selection.similarity_join import find_copies  # imports numpy

    texts = (" ".join(i.text.casefold().split()) for i in instructions)
    copies = find_copies(texts)
    return _split_by_reason(instructions, ("exact duplicate" if c else None for c in copies))


def drop_near_duplicates(
    instructions: Sequence[Instruction], config: "SelectionConfig"
) -> SelectorResult:
    """Keep the first of the instructions whose word 3-grams overlap by the threshold or more.

    What the system was told makes none of two that are asked something else; but two that differ in
    it are none either. Later turns of a conversation hold its earlier ones: these are not compared
    with each other.
    """
    from ste_plugin.instructions.selection.shingles import Shingles, shingles  # imports numpy
    from ste_plugin.instructions.selection.similarity_join import find_repeats, jaccard

    reasons: list[str | None] = [None] * len(instructions)
    sets = Shingles(len(instructions), lambda position: instructions[position].asked)
    threshold = config.near_duplicate_threshold

    def may_resemble(position: int, earlier: int) -> bool:
        one, other = instructions[position], instructions[earlier]
        lengths = len(one.turns or ()), len(other.turns or ())
        goes_on = one.conversation == other.conversation and lengths[0] != lengths[1]
        return goes_on or jaccard(shingles(one.text), shingles(other.text)) < threshold

    for position in find_repeats(sets, threshold, may_resemble):
        reasons[position] = "near duplicate"
    return _split_by_reason(instructions, reasons)


def keep_complexity(
    instructions: Sequence[Instruction], config: "SelectionConfig"
) -> SelectorResult:
    """Keep the instructions from `min_complexity` to `max_complexity`, both included."""
    low, high = config.min_complexity, config.max_complexity
    if (low, high) == (1, 10):
        return instructions, ()

    def reason(instruction: Instruction) -> str | None:
        if not instruction.complexity:
            return "complexity unknown"
        if instruction.complexity < low:
            return f"complexity below {low}"
        return f"complexity above {high}" if instruction.complexity > high else None

    return _split_by_reason(instructions, map(reason, instructions))


def keep_quotas(instructions: Sequence[Instruction], config: "SelectionConfig") -> SelectorResult:
    """Keep the first of each category, as many as its quota says, and none of other categories.

    Raises: ConfigError where a category has fewer instructions than its quota.
    """
    quotas = config.categories
    if not quotas:
        return instructions, ()
    _check_quotas(Counter(i.category for i in instructions), config)
    taken: Counter[str] = Counter()

    def reason(instruction: Instruction) -> str | None:
        if instruction.category not in quotas:
            return f"category without a quota: {instruction.category or '(none)'}"
        taken[instruction.category] += 1
        full = taken[instruction.category] > quotas[instruction.category]
        return f"quota full: {instruction.category}" if full else None

    return _split_by_reason(instructions, map(reason, instructions))


def _check_quotas(counts: Counter[str], config: "SelectionConfig") -> None:
    missing = [
        f"{name!r}: found {counts[name]}, wanted {quota}"
        for name, quota in config.categories.items()
        if counts[name] < quota
    ]
    if missing:
        listed = ", ".join(f"{name or '(none)'} {n}" for name, n in counts.most_common())
        advice = "" if config.label else " or let the generator label categories (label: true)"
        raise ConfigError(
            f"selection.categories: the pool is too small for its quotas ({'; '.join(missing)}). "
            f"Categories at this point: {listed or 'no instruction'}. Lower the quota, add "
            f"instructions, loosen the selectors before it{',' if advice else ''}{advice}."
        )


def keep_first(instructions: Sequence[Instruction], config: "SelectionConfig") -> SelectorResult:
    """Keep the first `limit` instructions, or all where there is no limit."""
    limit = len(instructions) if config.limit is None else config.limit
    return _split_by_reason(
        instructions,
        (None if position < limit else "over the limit" for position in range(len(instructions))),
    )


SELECTORS: "dict[str, Selector]" = {
    "exact-duplicates": drop_exact_duplicates,
    "near-duplicates": drop_near_duplicates,
    "complexity": keep_complexity,
    "category-quotas": keep_quotas,
    "limit": keep_first,
}
