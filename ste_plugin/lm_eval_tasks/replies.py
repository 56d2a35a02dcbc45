"""From what lm-eval got back from a model to a judged pair; the task and `ste eval` both read here."""

from collections.abc import Callable, Sequence
from math import isnan
from typing import Any, NamedTuple

from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import official_verdict
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.pairs_file import LabelledPair
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.lm_eval_tasks.votes import majority
from ste_plugin.records import ORDERS, Verdict, content_key

NOT_DRAWN = "[ste: not drawn, the majority was settled]"
NOT_ASKED = "[ste: not asked, the prompt does not fit the context]"
PLAIN = JudgeSettings()
"""One greedy verdict an order."""


class OrderVerdict(NamedTuple):
    """What a judge said in one presentation order."""

    samples: tuple[Verdict | None, ...] = ()
    verdict: Verdict | None = None
    forced: Verdict | None = None
    log_odds: float | None = None
    chars: int = 0


def orders_shown(pair_id: str, settings: JudgeSettings) -> tuple[Verdict, ...]:
    """Return the letters under which the better response is shown: both, or one for `official`.

    That one is a fair coin of the pair's id and the seed, so that it is the same in every run.
    """
    if settings.mode != "official":
        return ORDERS
    return (ORDERS[int(content_key("order", settings.seed, pair_id), 16) % 2],)


def parser(judge_format: JudgeFormat, settings: JudgeSettings) -> Callable[[str], Verdict | None]:
    """Return how a reply is read."""
    return official_verdict if settings.mode == "official" else judge_format.parse


def read_replies(
    pair: LabelledPair,
    results: Sequence[Any],
    judge_format: JudgeFormat,
    settings: JudgeSettings = PLAIN,
) -> JudgedPair:
    """Return what the judge said about `pair`.

    `results` are the reply in each order shown, or a list of replies where there are several votes;
    and where likelihoods were measured, (log-likelihood, greedy) of A and B after the prompt of each
    order. Logged samples hold the same, numbers as text. A pair whose prompt did not fit has the one
    reply `NOT_ASKED`.
    """
    fits, shown = results[0] != NOT_ASKED, orders_shown(pair.id, settings)
    replied = 0 if settings.mode == "likelier" else len(shown)
    parse, said = parser(judge_format, settings), dict.fromkeys(ORDERS, OrderVerdict())
    for place, order in enumerate(shown if fits else ()):
        replies = results[place] if replied else []
        replies = [replies] if isinstance(replies, str) else replies
        said[order] = read_opinion(replies, results[replied + 2 * place :][:2], parse)
    a, b = said["A"], said["B"]
    return JudgedPair(
        id=pair.id,
        subset=pair.subset,
        prompt=pair.prompt,
        verdict_a=a.verdict,
        verdict_b=b.verdict,
        forced_a=a.forced,
        forced_b=b.forced,
        chosen_chars=len(pair.chosen),
        rejected_chars=len(pair.rejected),
        section=pair.section,
        weight=pair.weight,
        votes=pair.votes,
        samples_a=a.samples,
        samples_b=b.samples,
        asked=settings.votes if replied else 0,
        drawn=len(a.samples) + len(b.samples),
        reply_chars=a.chars + b.chars,
        shown=shown,
        fits=fits,
        log_odds_a=a.log_odds,
        log_odds_b=b.log_odds,
    )


def read_opinion(
    replies: Sequence[str], scores: Sequence[Any], parse: Callable[[str], Verdict | None]
) -> OrderVerdict:
    """Return the majority of the samples drawn; without any reply, the likelier letter is the verdict."""
    odds = log_odds(scores)
    letter = likelier(odds)
    if not replies:
        return OrderVerdict(verdict=letter, log_odds=odds)
    drawn = [reply for reply in replies if reply != NOT_DRAWN]
    samples = tuple(parse(reply) for reply in drawn)
    return OrderVerdict(samples, majority(samples), letter, odds, sum(map(len, drawn)))


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
