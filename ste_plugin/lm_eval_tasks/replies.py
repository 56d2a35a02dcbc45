"""From what lm-eval got back from a model to a judged pair, for the task and for `ste eval`."""

from collections.abc import Callable, Sequence
from math import isnan
from typing import Any

from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import Reading, checked, official_verdict
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.pairs_file import LabelledPair
from ste_plugin.lm_eval_tasks.settings import DEFAULTS, JudgeSettings
from ste_plugin.judging.verdict import majority
from ste_plugin.records import ORDERS, Verdict, content_key
from ste_plugin.text.thinking import TAGS, split_thinking

NOT_DRAWN = "[ste: not drawn, the majority was settled]"
NOT_ASKED = "[ste: not asked, the prompt does not fit the context]"
CUT_OFF = f"\n{TAGS.open}[ste: cut off before its end, so that nothing here is an answer]"
"""Put behind a torn reply: a thought that never ends, so that no reader finds a verdict there."""

Parser = Callable[[str], Reading]
"""A reply → its verdict, which may be a tie; None for no single answer."""


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

    def parse(reply: str) -> Reading:
        split = split_thinking(reply)
        return checked(judge_format.parse(split.said)) if split.ended else None

    return parse


def read_replies(
    pair: LabelledPair,
    results: Sequence[Any],
    judge_format: JudgeFormat,
    settings: JudgeSettings = DEFAULTS,
) -> JudgedPair:
    """Return what the judge said about `pair`.

    `results` are the reply in each order shown, or a list of replies where there are several votes;
    and where likelihoods were measured, (log-likelihood, greedy) of A and B after the prompt of
    each order. Logged samples hold the same, numbers as text. A pair whose prompt did not fit has
    the one reply `NOT_ASKED`.
    """
    fits, shown = results[0] != NOT_ASKED, orders_shown(pair.id, settings)
    replied = 0 if settings.mode == "likelier" else len(shown)
    replies = [drawn_replies(result) for result in results[:replied]] if fits else []
    scores = results[replied:] if fits else []
    parse = parser(judge_format, settings)
    return JudgedPair(
        id=pair.id,
        subset=pair.subset,
        prompt=pair.prompt,
        orders=tuple(
            read_order(gold, replies[i] if replies else None, scores[2 * i :][:2], parse)
            for i, gold in enumerate(shown)
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


def read_order(
    gold: Verdict, replies: Sequence[str] | None, scores: Sequence[Any], parse: Parser
) -> OrderVerdict:
    """Return the majority of the replies in one order; without replies the likelier letter."""
    odds = log_odds(scores)
    letter = likelier(odds)
    if replies is None:
        return OrderVerdict(gold, own=letter, log_odds=odds)
    samples = tuple(parse(reply) for reply in replies)
    return OrderVerdict(gold, majority(samples), letter, samples, odds)


def log_odds(scores: Sequence[Any]) -> float | None:
    """Return the log-likelihood of A minus that of B, or None where nothing was measured."""
    if not scores:
        return None
    a, b = (float(log_likelihood) for log_likelihood, _ in scores)
    return a - b


def likelier(odds: float | None) -> Verdict | None:
    """Return the letter with the higher log-likelihood; None for a tie or nothing measured."""
    if odds is None or odds == 0 or isnan(odds):
        return None
    return "A" if odds > 0 else "B"
