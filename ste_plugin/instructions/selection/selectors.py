"""Selectors: each keeps some of the instructions, and gives a reason for each of the others."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.records import Drop, Instruction

if TYPE_CHECKING:
    from ste_plugin.config import SelectionConfig

SelectorResult = tuple[list[Instruction], list[Drop]]
"""The instructions kept, and a Drop for each of the others."""

Selector = Callable[[Sequence[Instruction], "SelectionConfig"], SelectorResult]
"""(instructions, settings) → those kept, and a Drop for each of the others."""

_PUNCTUATION = ".,;:!?\"'()"
_WIDE_PUNCTUATION = "。、，．：；！？「」『』（）《》〈〉【】…—～・“”‘’។៕"
_UNSPACED = (  # the blocks of scripts that are written without spaces between words
    "\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf"  # Tai
    "\u1b00-\u1b7f\ua980-\ua9df"  # Balinese, Javanese
    "\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    "\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_CHARACTER_OR_REST = re.compile(f"[{_UNSPACED}]|[^{_UNSPACED}]+")


def select(
    instructions: Sequence[Instruction],
    config: "SelectionConfig",
    selector_of: Callable[[str], "Selector"],
) -> SelectorResult:
    """Return what all of the config's selectors keep, in order, and every Drop on the way.

    Raises: DataError where nothing is left, with the counts by reason.
    """
    kept, drops = list(instructions), list[Drop]()
    for name in config.selectors:
        if kept:
            kept, more = selector_of(name)(kept, config)
            drops += more
    if not kept:
        counts = Counter(drop.reason for drop in drops).most_common()
        reasons = ", ".join(f"{reason} {n}" for reason, n in counts) or "none came in"
        raise DataError(
            f"selection: no instruction is left of {len(instructions)} ({reasons}); expected at "
            "least one. Loosen the settings under `selection`, or give more instructions."
        )
    return kept, drops


def _split_by_reason(pairs: Iterable[tuple[Instruction, str | None]]) -> SelectorResult:
    """Return the instructions without a reason to drop them, and Drops for the others."""
    kept: list[Instruction] = []
    drops: list[Drop] = []
    for instruction, reason in pairs:
        if reason is None:
            kept.append(instruction)
        else:
            drops.append(Drop("selection", instruction.key, reason))
    return kept, drops


def drop_exact_duplicates(
    instructions: Sequence[Instruction], _: "SelectionConfig"
) -> SelectorResult:
    """Keep the first of the instructions that differ in letter case and white space only."""
    seen: set[str] = set()

    def reason(instruction: Instruction) -> str | None:
        text = " ".join(instruction.text.casefold().split())
        if text in seen:
            return "exact duplicate"
        seen.add(text)
        return None

    return _split_by_reason((i, reason(i)) for i in instructions)


def shingles(text: str) -> frozenset[str]:
    """Return the word 3-grams of a text, or its words where there are fewer than three.

    Letter case and the punctuation around a word do not count; signs on their own do. Each
    character of a script that is written without spaces counts as a word.

    >>> sorted(shingles("What is 2 + 2?"))
    ['2 + 2', 'is 2 +', 'what is 2']
    >>> sorted(shingles("用Python排序。"))
    ['python 排 序', '用 python 排']
    """
    words = [word for run in text.casefold().split() for word in _words(run)]
    size = 3 if len(words) >= 3 else 1
    return frozenset(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))


def _words(run: str) -> list[str]:
    """Return what counts as the words of a run without spaces."""
    if not _CHARACTER.search(run):
        return [run.strip(_PUNCTUATION) or run]
    parts = _CHARACTER_OR_REST.findall(run)
    words = [part.strip(_PUNCTUATION + _WIDE_PUNCTUATION) for part in parts]
    return [word for word in words if word] or [run]


def drop_near_duplicates(
    instructions: Sequence[Instruction], config: "SelectionConfig"
) -> SelectorResult:
    """Keep the first of the instructions whose word 3-grams overlap by the threshold or more."""
    from ste_plugin.instructions.selection.similarity_join import find_repeats  # imports numpy

    repeats = set(
        find_repeats(
            len(instructions),
            lambda position: shingles(instructions[position].text),
            config.near_duplicate_threshold,
        )
    )
    return _split_by_reason(
        (instruction, "near duplicate" if position in repeats else None)
        for position, instruction in enumerate(instructions)
    )


def keep_complexity(
    instructions: Sequence[Instruction], config: "SelectionConfig"
) -> SelectorResult:
    """Keep the instructions from `min_complexity` to `max_complexity`, both included."""
    low, high = config.min_complexity, config.max_complexity
    if (low, high) == (1, 10):
        return list(instructions), []

    def reason(instruction: Instruction) -> str | None:
        if not instruction.complexity:
            return "complexity unknown"
        if instruction.complexity < low:
            return f"complexity below {low}"
        return f"complexity above {high}" if instruction.complexity > high else None

    return _split_by_reason((i, reason(i)) for i in instructions)


def keep_quotas(instructions: Sequence[Instruction], config: "SelectionConfig") -> SelectorResult:
    """Keep the first of each category, as many as its quota says, and none of other categories.

    Raises: ConfigError where a category has fewer instructions than its quota.
    """
    quotas = config.categories
    if not quotas:
        return list(instructions), []
    _check_quotas(Counter(i.category for i in instructions), config)
    taken: Counter[str] = Counter()

    def reason(instruction: Instruction) -> str | None:
        if instruction.category not in quotas:
            return f"category without a quota: {instruction.category or '(none)'}"
        taken[instruction.category] += 1
        full = taken[instruction.category] > quotas[instruction.category]
        return f"quota full: {instruction.category}" if full else None

    return _split_by_reason((i, reason(i)) for i in instructions)


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
        (instruction, None if position < limit else "over the limit")
        for position, instruction in enumerate(instructions)
    )


SELECTORS: "dict[str, Selector]" = {
    "exact-duplicates": drop_exact_duplicates,
    "near-duplicates": drop_near_duplicates,
    "complexity": keep_complexity,
    "category-quotas": keep_quotas,
    "limit": keep_first,
}
