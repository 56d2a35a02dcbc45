"""From judgments to examples: keep the right ones, balance the letters, drop what is too long."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ste_plugin.engines.base import Message
from ste_plugin.judging import JudgeFormat
from ste_plugin.plain import steers
from ste_plugin.records import ORDERS, Drop, Judgment, ResponsePair, Verdict, content_key


@dataclass(frozen=True, slots=True)
class Example:
    """One pair in one presentation order, with the judgments that training may use."""

    pair: ResponsePair
    better_is: Verdict
    form: JudgeFormat
    correct: Judgment
    wrong: Judgment | None
    """A judgment that preferred the worse response, where one was sampled."""

    @property
    def key(self) -> str:
        """Return the key of the prompt, for drops and for ordering."""
        return f"{self.pair.key}:{self.better_is}"

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Return the prompt that was judged, made anew: those of a large data set fill a memory."""
        pair = self.pair
        return self.form.render_pair(pair.instruction, pair.better, pair.worse, self.better_is)


def drop_reason(judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return why a judgment must not be trained on, or None.

    A judgment that quotes one whole answer has copied instead of judging; one that holds a control token
    would train a model to break out of its turn.
    """
    if steers(judgment.text):
        return "holds a control token"
    longest = max((pair.better, pair.worse), key=len)
    if len(longest) >= 200 and longest in judgment.text:
        return "copies a whole answer"
    return None


def example_of(
    pair: ResponsePair, order: Verdict, judgments: Iterable[Judgment], form: JudgeFormat,
    reason_to_drop: Callable[[Judgment, ResponsePair], str | None],
) -> tuple[Example | None, list[Drop]]:  # fmt: skip
    """Return the example that a pair in one order makes, or None, and what was left out and why.

    Of several correct (or wrong) samples the one with the lowest index is taken: samples are
    independent, so this is a draw at random.
    """
    drops: list[Drop] = []
    correct = wrong = None
    for judgment in sorted(judgments, key=lambda j: j.sample_index):
        reason = reason_to_drop(judgment, pair) if judgment.verdict else "no verdict"
        if reason:
            drops.append(Drop("judging", judgment.key, reason))
        elif judgment.correct:
            correct = correct or judgment
        else:
            wrong = wrong or judgment
    if correct is None:
        return None, [*drops, Drop("dataset", f"{pair.key}:{order}", "no correct judgment")]
    return Example(pair, order, form, correct, wrong), drops


def only_both_orders(examples: Sequence[Example]) -> tuple[list[Example], list[Drop]]:
    """Return the examples of pairs that were judged rightly in both orders."""
    paired = _in_both_orders(examples)
    return _partition(examples, lambda e: e.pair.key in paired, "right in one order only")


def balance(examples: Sequence[Example]) -> tuple[list[Example], list[Drop]]:
    """Return as many examples whose better response is A as B.

    Pairs kept in both orders stay whole; of the others the longer side gives up its surplus, by key.
    """
    paired = _in_both_orders(examples)
    single: dict[Verdict, list[Example]] = {"A": [], "B": []}
    for example in examples:
        if example.pair.key not in paired:
            single[example.better_is].append(example)
    fewest = min(len(single["A"]), len(single["B"]))
    surplus = {
        e.key
        for side in single.values()
        for e in sorted(side, key=lambda e: content_key("balance", e.key))[fewest:]
    }
    return _partition(examples, lambda e: e.key not in surplus, "surplus of one letter")


def arrange(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return the examples in an order drawn by `seed`, both orders of a pair side by side."""
    return sorted(examples, key=lambda e: (content_key("arrange", seed, e.pair.key), e.better_is))


def only_counted(
    examples: Sequence[Example], lengths: Mapping[str, int]
) -> tuple[list[Example], list[Drop]]:
    """Return the examples that have a length: the others hold a special token of the judge's tokenizer."""
    return _partition(
        examples, lambda e: e.key in lengths, "holds a special token of the judge's tokenizer"
    )


def within_length(
    examples: Sequence[Example], lengths: Mapping[str, int], longest: int
) -> tuple[list[Example], list[Drop]]:
    """Return the examples of at most `longest` tokens; `lengths` holds tokens by example key."""
    return _partition(
        examples, lambda e: lengths[e.key] <= longest, f"longer than sequence_len {longest}"
    )


def weighed(
    examples: Sequence[Example], rates: Mapping[str, float]
) -> tuple[list[Example], list[Drop]]:
    """Return the examples of a sample of pairs that favours the hard ones; `rates` are by pair key.

    A pair that is right at most half of the time stays; above, it stays with a chance that falls to
    nothing for one that is always right. Decided by the pair's key, so a later run decides alike.
    """

    def stays(example: Example) -> bool:
        place = int(content_key("weigh", example.pair.key), 16) / 16**16
        return place < 2 * (1 - rates[example.pair.key])

    return _partition(examples, stays, "weighed out: mostly right already")


def _in_both_orders(examples: Sequence[Example]) -> set[str]:
    shown = {order: {e.pair.key for e in examples if e.better_is == order} for order in ORDERS}
    return shown["A"] & shown["B"]


def _partition(
    examples: Sequence[Example], wanted: Callable[[Example], bool], reason: str
) -> tuple[list[Example], list[Drop]]:
    kept = [e for e in examples if wanted(e)]
    return kept, [Drop("dataset", e.key, reason) for e in examples if not wanted(e)]
