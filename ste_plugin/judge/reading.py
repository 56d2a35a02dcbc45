"""From what a judge said to the two prompts of a pair to one comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from ste_plugin.judge.asking import Sample, before_verdict
from ste_plugin.judge.comparison import Abstained, Comparison, Order, Reply, Tokens
from ste_plugin.judge.probability import Spread, first_is_better, shares_of, spread_of
from ste_plugin.judging import TIE, JudgeFormat, Reading, Said
from ste_plugin.judging.rating import is_score
from ste_plugin.lm_eval_tasks.replies import log_odds
from ste_plugin.records import ORDERS, OTHER, Verdict

Replies = tuple[Sequence[Sample], Sequence[Reply]]
"""The samples of one prompt, and what each of them says."""


def read_comparison(
    judge_format: JudgeFormat, first: Replies, second: Replies, temperature: float = 1.0
) -> Comparison:
    """Return what a judge says of a pair; `second` is the prompt that shows B first.

    `temperature`: what the judge's likelihoods were calibrated by.
    """
    spreads, by_likelihood = read_spreads(judge_format, (first, second), temperature)
    one, two = (
        _Prompt(replies, spread, _log_odds(samples))
        for (samples, replies), spread in zip((first, second), spreads, strict=True)
    )
    orders = tuple(
        _order(judge_format, letter, *both)
        for letter, both in zip(ORDERS, ((one, two), (two, one)), strict=True)
    )
    abstained = _why_abstained(*(order.verdict for order in orders))
    chances = [order.probability for order in orders if order.probability is not None]
    return Comparison(
        verdict=None if abstained else _letter(orders[0].verdict),
        probability=fsum(chances) / len(orders) if len(chances) == len(orders) else None,
        abstained=abstained,
        orders=orders,
        probability_from="likelihoods" if by_likelihood else "samples",
        tokens=tokens_of([*first[0], *second[0]]),
    )


def tokens_of(samples: Sequence[Sample]) -> Tokens:
    """Return what was read and written for these samples."""
    spent = [sample.tokens for sample in samples]
    return Tokens(sum(t.prompt for t in spent), sum(t.written for t in spent))


def read_spreads(
    judge_format: JudgeFormat, prompts: Sequence[Replies], temperature: float = 1.0
) -> tuple[list[Spread], bool]:
    """Return what is said to each prompt, and whether by likelihoods: shares of replies else."""
    measured = [_measured(judge_format, samples, temperature) for samples, _ in prompts]
    if all(measured):
        return measured, True
    return [shares_of([reply.said for reply in replies]) for _, replies in prompts], False


def _measured(judge_format: JudgeFormat, samples: Sequence[Sample], temperature: float) -> Spread:
    """Return what one prompt's samples say by likelihoods; empty where none was measured."""
    measured = [s.log_likelihoods for s in samples if s.log_likelihoods is not None]
    return spread_of(judge_format, measured, temperature)


@dataclass(frozen=True, slots=True)
class _Prompt:
    """What was said to one prompt of a pair."""

    replies: Sequence[Reply]
    spread: Spread
    log_odds: float | None
    """Of A against B, as the model gives them."""

    def combined(self, judge_format: JudgeFormat) -> Said:
        """Return what the replies say together."""
        return judge_format.combine([reply.said for reply in self.replies])


def _order(judge_format: JudgeFormat, first: Verdict, own: _Prompt, other: _Prompt) -> Order:
    verdict = judge_format.decide(own.combined(judge_format), other.combined(judge_format))
    chance = first_is_better(judge_format, own.spread, other.spread)
    return Order(
        first=first,
        verdict=verdict if first == "A" else _turned(verdict),
        probability=chance if first == "A" or chance is None else 1 - chance,
        reasoning=_reasoning(judge_format, own.replies[0].text),
        replies=tuple(own.replies),
        score=_score(own.spread) if judge_format.pointwise else None,
        log_odds=own.log_odds if first == "A" or own.log_odds is None else -own.log_odds,
    )


def _log_odds(samples: Sequence[Sample]) -> float | None:
    """Return the log-odds of A against B behind one sample, where there are just these choices."""
    measured = [s.log_likelihoods for s in samples if s.log_likelihoods is not None]
    return log_odds(measured[0]) if len(measured) == 1 else None


def _reasoning(judge_format: JudgeFormat, text: str) -> str:
    """Return what a reply says before the words that close it."""
    return "" if judge_format.only_choices else before_verdict(judge_format, text)


def _score(spread: Spread) -> float | None:
    """Return the expected score by what is said of an answer."""
    scores = [(said, share) for said, share in spread.items() if is_score(said)]
    total = fsum(share for _, share in scores)
    return fsum(said * share for said, share in scores) / total if total else None


def _turned(verdict: Reading) -> Reading:
    """Return the verdict of a prompt that shows B as A, in the caller's letters."""
    letter = _letter(verdict)
    return OTHER[letter] if letter else verdict


def _letter(verdict: Reading) -> Verdict | None:
    return None if verdict == TIE else verdict


def _why_abstained(first: Reading, second: Reading) -> Abstained:
    if first is None or second is None:
        return "no verdict"
    if first != second:
        return "orders differ"
    return "tie" if first == TIE else ""
