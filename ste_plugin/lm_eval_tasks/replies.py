"""From what lm-eval got back from a model to a judged pair, for the task and for `ste eval`."""

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import Said, letter_of, official_verdict
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.settings import DEFAULTS, JudgeSettings
from ste_plugin.records import ORDERS, Verdict, content_key
from ste_plugin.text.thinking import TAGS, split_thinking

NOT_DRAWN = "[ste: not drawn, the majority was settled]"
NOT_ASKED = "[ste: not asked, the prompt does not fit the context]"
CUT_OFF = f"\n{TAGS.open}[ste: cut off before its end, so that nothing here is an answer]"
"""Put behind a torn reply: a thought that never ends, so that no reader finds a verdict there."""

Parser = Callable[[str], Said]
"""A reply → what it says; None for no single answer."""


class _Read(NamedTuple):
    """What was said to one prompt of a pair."""

    samples: tuple[Said, ...] | None
    """By every reply; None where only likelihoods were measured."""
    expected: Said
    """By the likelihoods of the format's choices; None where they were not measured."""
    log_odds: float | None


_NOT_SHOWN = _Read((), None, None)


def orders_shown(pair_id: str, settings: JudgeSettings) -> tuple[Verdict, ...]:
    """Return the letters under which the better response is shown: both, or one for `official`.

    That one is a fair coin of the pair's id and the seed, so that it is the same in every run.
    """
    if settings.mode != "official":
        return ORDERS
    return (ORDERS[int(content_key("order", settings.seed, pair_id), 16) % 2],)


def parser(judge_format: JudgeFormat, settings: JudgeSettings) -> Parser:
    """Return how a reply is read: by what it says after any thinking.

    Only RewardBench's own parser reads thoughts, too, as it does upstream.
    """
    if settings.mode == "official":
        return official_verdict

    def parse(reply: str) -> Said:
        split = split_thinking(reply)
        return judge_format.parse(split.said) if split.ended else None

    return parse


def read_replies(
    pair: LabelledPair,
    results: Sequence[Any],
    judge_format: JudgeFormat,
    settings: JudgeSettings = DEFAULTS,
) -> JudgedPair:
    """Return what the judge said about `pair`.

    `results` are the reply in each order shown, or a list of replies where there are several votes;
    and where likelihoods were measured, (log-likelihood, greedy) of each of the format's choices
    after the prompt of each order. Logged samples hold the same, numbers as text. A pair whose
    prompt did not fit has the one reply `NOT_ASKED`.
    """
    fits, shown = results[0] != NOT_ASKED, orders_shown(pair.id, settings)
    replied = 0 if settings.mode == "likelier" else len(shown)
    replies = [drawn_replies(result) for result in results[:replied]] if fits else []
    scores = results[replied:] if fits else []
    parse, n = parser(judge_format, settings), len(judge_format.choices)
    read = [
        _read(replies[i] if replies else None, scores[n * i :][:n], parse, judge_format)
        for i in range(len(shown))
    ]
    others = reversed(read) if len(read) > 1 else [_NOT_SHOWN]
    return JudgedPair(
        id=pair.id,
        subset=pair.subset,
        prompt=pair.prompt,
        orders=tuple(
            _decide(gold, own, other, judge_format)
            for gold, own, other in zip(shown, read, others, strict=True)
        ),
        chosen_chars=len(pair.chosen),
        rejected_chars=len(pair.rejected),
        section=pair.section,
        weight=pair.weight,
        votes=pair.votes,
        group=pair.group,
        counted_votes=pair.counted_votes,
        asked=settings.votes if replied else 0,
        reply_chars=sum(len(reply.removesuffix(CUT_OFF)) for texts in replies for reply in texts),
        fits=fits,
    )


def drawn_replies(result: str | Sequence[str]) -> list[str]:
    """Return the replies to one prompt, without the votes that were not drawn."""
    replies = [result] if isinstance(result, str) else result
    return [reply for reply in replies if reply != NOT_DRAWN]


def _read(
    replies: Sequence[str] | None, scores: Sequence[Any], parse: Parser, judge_format: JudgeFormat
) -> _Read:
    samples = None if replies is None else tuple(map(parse, replies))
    likelihoods = [float(log_likelihood) for log_likelihood, _ in scores]
    expected = judge_format.expect(likelihoods) if likelihoods else None
    return _Read(samples, expected, log_odds(likelihoods))


def _decide(gold: Verdict, own: _Read, other: _Read, judge_format: JudgeFormat) -> OrderVerdict:
    """Return the verdict in one order, by the replies to it and to the pair's other prompt."""
    decide, combine = judge_format.decide, judge_format.combine
    expected = letter_of(decide(own.expected, other.expected))
    rated = (own.expected,) if own.samples is None else own.samples
    ratings = rated if judge_format.pointwise else ()
    if own.samples is None:
        return OrderVerdict(gold, expected, log_odds=own.log_odds, ratings=ratings)
    others = other.samples or ()
    samples = tuple(map(decide, own.samples, chain(others, repeat(None))))
    stated = decide(combine(own.samples), combine(others))
    return OrderVerdict(gold, stated, expected, samples, own.log_odds, ratings)


def log_odds(likelihoods: Sequence[float]) -> float | None:
    """Return the log-likelihood of A minus that of B, or None where there are not just these."""
    if len(likelihoods) != 2:
        return None
    a, b = likelihoods
    return a - b
