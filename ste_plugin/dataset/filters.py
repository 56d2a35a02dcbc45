"""Filters of training examples: each returns those kept, in order, and a Drop for each other."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from ste_plugin.records import Drop, Judgment, ResponsePair, Verdict, content_key
from ste_plugin.text.sanitize import has_control_tokens
from ste_plugin.text.thinking import without_marks

ONE_ORDER, RATED_ALONE = "right in one order only", "no row of its pair's other answer"
"""Why one of a pair's two prompts is not kept alone."""


class TrainingCandidate(Protocol):
    """What the filters need: an example, or a judge task that stands for one."""

    @property
    def key(self) -> str:
        """The key of the prompt."""
        ...

    @property
    def pair_key(self) -> str:
        """The key of the pair."""
        ...

    @property
    def gold(self) -> Verdict:
        """The letter under which the better response is shown."""
        ...


C = TypeVar("C", bound=TrainingCandidate)


def drop_reason(judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return why a judgment must not be trained on, or None.

    A judgment that quotes one whole answer has copied instead of judging; one that holds a control
    token would train a model to break out of its turn.
    """
    if has_control_tokens(judgment.text) or has_control_tokens(without_marks(judgment.thinking)):
        return "holds a control token"
    longest = max((pair.better, pair.worse), key=len)
    if len(longest) >= 200 and longest in judgment.text:
        return "copies a whole answer"
    return None


def drop_single_orders(
    examples: Sequence[C], reason: str = ONE_ORDER
) -> tuple[list[C], list[Drop]]:
    """Keep the examples of pairs that were judged correctly in both orders."""
    paired = _in_both_orders(examples)
    return _partition(examples, lambda e: e.pair_key in paired, reason)


def balance_letters(examples: Sequence[C]) -> tuple[list[C], list[Drop]]:
    """Keep as many examples whose better response is A as B.

    Pairs kept in both orders stay whole; of the others the larger side loses its surplus, by key.
    """
    paired = _in_both_orders(examples)
    single: dict[Verdict, list[C]] = {"A": [], "B": []}
    for example in examples:
        if example.pair_key not in paired:
            single[example.gold].append(example)
    fewest = min(map(len, single.values()))
    if fewest == max(map(len, single.values())):
        return list(examples), []
    surplus = {
        e.key
        for side in single.values()
        for e in sorted(side, key=lambda e: content_key("balance", e.key))[fewest:]
    }
    return _partition(examples, lambda e: e.key not in surplus, "surplus of one letter")


def arrange(examples: Sequence[C], seed: int) -> list[C]:
    """Return the examples in an order drawn by `seed`, both orders of a pair side by side."""

    @lru_cache(maxsize=1)  # they are mostly side by side already
    def position(pair_key: str) -> int:
        return 2 * int(content_key("arrange", seed, pair_key), 16)

    return sorted(examples, key=lambda e: position(e.pair_key) + (e.gold == "B"))


def drop_too_long(
    examples: Sequence[C], lengths: Sequence[int | None], max_tokens: int
) -> tuple[list[C], list[Drop]]:
    """Keep the examples of at most `max_tokens` tokens.

    `lengths` are those of `examples`, in their order; None for one that holds a special token of
    the judge's tokenizer, which is dropped, too.
    """
    kept, drops = [], []
    for example, length in zip(examples, lengths, strict=True):
        if length is not None and length <= max_tokens:
            kept.append(example)
        else:
            reason = (
                "holds a special token of the judge's tokenizer"
                if length is None
                else f"longer than sequence_len {max_tokens}"
            )
            drops.append(Drop("dataset", example.key, reason))
    return kept, drops


def drop_easy_pairs(
    examples: Sequence[C], rates: Mapping[str, float]
) -> tuple[list[C], list[Drop]]:
    """Keep the examples of a sample of pairs that favours the hard ones.

    `rates` are pass rates by pair key. Pairs with a rate of at most one half are kept; above it,
    the probability to be kept falls linearly to 0 at a rate of 1. The draw is by the pair's key, so
    that every run draws alike.
    """

    def is_kept(example: C) -> bool:
        draw = int(content_key("weigh", example.pair_key), 16) / 16**16
        return draw < 2 * (1 - rates[example.pair_key])

    return _partition(examples, is_kept, "weighed out: mostly right already")


def _in_both_orders(examples: Sequence[C]) -> set[str]:
    seen: set[str] = set()
    both: set[str] = set()
    for example in examples:
        (both if example.pair_key in seen else seen).add(example.pair_key)
    return both


def _partition(
    examples: Sequence[C], wanted: Callable[[C], bool], reason: str
) -> tuple[list[C], list[Drop]]:
    kept: list[C] = []
    drops: list[Drop] = []
    for example in examples:
        if wanted(example):
            kept.append(example)
        else:
            drops.append(Drop("dataset", example.key, reason))
    return kept, drops
