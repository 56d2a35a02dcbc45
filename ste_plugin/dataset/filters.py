"""From judgments to examples: keep the right ones, balance the letters, drop what is too long."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from ste_plugin.records import Drop, Judgment, ResponsePair, Verdict, content_key
from ste_plugin.text.sanitize import has_control_tokens


class TrainingCandidate(Protocol):
    """What is enough to choose among examples: a pair and the letter of its better answer."""

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


J = TypeVar("J", bound=TrainingCandidate)


def drop_reason(judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return why a judgment must not be trained on, or None.

    A judgment that quotes one whole answer has copied instead of judging; one that holds a control token
    would train a model to break out of its turn.
    """
    if has_control_tokens(judgment.text):
        return "holds a control token"
    longest = max((pair.better, pair.worse), key=len)
    if len(longest) >= 200 and longest in judgment.text:
        return "copies a whole answer"
    return None


def drop_single_orders(examples: Sequence[J]) -> tuple[list[J], list[Drop]]:
    """Return the examples of pairs that were judged rightly in both orders."""
    paired = _in_both_orders(examples)
    return _partition(examples, lambda e: e.pair_key in paired, "right in one order only")


def balance_letters(examples: Sequence[J]) -> tuple[list[J], list[Drop]]:
    """Return as many examples whose better response is A as B.

    Pairs kept in both orders stay whole; of the others the longer side gives up its surplus, by key.
    """
    paired = _in_both_orders(examples)
    single: dict[Verdict, list[J]] = {"A": [], "B": []}
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


def arrange(examples: Sequence[J], seed: int) -> list[J]:
    """Return the examples in an order drawn by `seed`, both orders of a pair side by side."""

    @lru_cache(maxsize=1)  # they mostly stand side by side before
    def place(pair_key: str) -> int:
        return 2 * int(content_key("arrange", seed, pair_key), 16)

    return sorted(examples, key=lambda e: place(e.pair_key) + (e.gold == "B"))


def drop_too_long(
    examples: Sequence[J], lengths: Sequence[int | None], longest: int
) -> tuple[list[J], list[Drop]]:
    """Return the examples of at most `longest` tokens.

    `lengths` are those of `examples`, in their order; None: not to be counted, as it holds a special
    token of the judge's tokenizer.
    """
    kept, drops = [], []
    for example, length in zip(examples, lengths, strict=True):
        if length is not None and length <= longest:
            kept.append(example)
        else:
            reason = (
                "holds a special token of the judge's tokenizer"
                if length is None
                else f"longer than sequence_len {longest}"
            )
            drops.append(Drop("dataset", example.key, reason))
    return kept, drops


def drop_easy_pairs(
    examples: Sequence[J], rates: Mapping[str, float]
) -> tuple[list[J], list[Drop]]:
    """Return the examples of a sample of pairs that favours the hard ones; `rates` are by pair key.

    A pair that is right at most half of the time stays; above, it stays with a chance that falls to
    nothing for one that is always right. Decided by the pair's key, so a later run decides alike.
    """

    def stays(example: J) -> bool:
        place = int(content_key("weigh", example.pair_key), 16) / 16**16
        return place < 2 * (1 - rates[example.pair_key])

    return _partition(examples, stays, "weighed out: mostly right already")


def _in_both_orders(examples: Sequence[J]) -> set[str]:
    seen: set[str] = set()
    both: set[str] = set()
    for example in examples:
        (both if example.pair_key in seen else seen).add(example.pair_key)
    return both


def _partition(
    examples: Sequence[J], wanted: Callable[[J], bool], reason: str
) -> tuple[list[J], list[Drop]]:
    kept: list[J] = []
    drops: list[Drop] = []
    for example in examples:
        if wanted(example):
            kept.append(example)
        else:
            drops.append(Drop("dataset", example.key, reason))
    return kept, drops
