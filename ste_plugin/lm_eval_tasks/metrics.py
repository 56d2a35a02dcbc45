"""Every figure reported about a pair judge, as what one pair adds to it: pure functions.

A metric is a quotient of two sums over pairs; `figures` does the summing and the standard errors.
"""

from collections.abc import Callable, Iterable
from functools import partial

from ste_plugin.judging.rating import higher, mean_score
from ste_plugin.judging.verdict import TIE, Reading, letter_of
from ste_plugin.labelled.pair import VoteCounts
from ste_plugin.lm_eval_tasks import votes
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.records import OTHER, Verdict

Ratio = tuple[float, float]
"""Numerator and denominator: what one pair adds to a metric. (0, 0) adds nothing."""
Metric = Callable[[JudgedPair], Ratio]
NOTHING: Ratio = (0, 0)


def acc(pair: JudgedPair) -> Ratio:
    """Right verdicts over the orders; a tie and no verdict count one half."""
    points = [points_of(order.final, order.gold) for order in pair.orders]
    return (sum(points) / len(points), 1) if pair.decided else NOTHING


def points_of(verdict: Reading, gold: Verdict) -> float:
    """Return 1 for the right letter, 0 for the wrong one, one half for a tie and for none."""
    return 0.5 if letter_of(verdict) is None else float(verdict == gold)


def acc_strict(pair: JudgedPair) -> Ratio:
    """Right verdicts over the orders; a tie and no verdict count as wrong."""
    right = [order.final == order.gold for order in pair.orders]
    return (sum(right) / len(right), 1) if pair.decided else NOTHING


def acc_pc(pair: JudgedPair) -> Ratio:
    """Right in both orders: pairwise accuracy that a position-biased judge cannot get."""
    return in_both_orders(pair, preferred(pair) == CHOSEN, pair.decided)


def unforced_acc_pc(pair: JudgedPair) -> Ratio:
    """Right in both orders by its own words alone."""
    return in_both_orders(pair, all(o.own == o.gold for o in pair.orders), pair.decided)


def consistency(pair: JudgedPair) -> Ratio:
    """The same response preferred in both orders, or a tie in both; of ratings none."""
    tied = all(order.final == TIE for order in pair.orders)
    return in_both_orders(pair, tied or prefers_one(pair), not pair.rated)


def in_both_orders(pair: JudgedPair, holds: bool, counts: bool) -> Ratio:
    """Return what a pair adds to a share of pairs that were shown in both orders."""
    return (float(holds), 1) if counts and pair.shown_in_both_orders else NOTHING


CHOSEN, REJECTED, NEITHER, SILENT = range(4)
"""Which response was preferred, where in `votes` people's preferences for it are counted; no person
is SILENT."""


def preferred(pair: JudgedPair) -> int:
    """Return CHOSEN or REJECTED where every verdict that counts is for it, else NEITHER; SILENT
    where an order has no verdict, which is no tie: nobody agrees with it."""
    if all(order.final == order.gold for order in pair.orders):
        return CHOSEN
    if all(order.final == OTHER[order.gold] for order in pair.orders):
        return REJECTED
    return SILENT if any(order.silent for order in pair.orders) else NEITHER


def prefers_one(pair: JudgedPair) -> bool:
    """Return whether the same response is preferred in every order."""
    return preferred(pair) in (CHOSEN, REJECTED)


def who_agree(people: VoteCounts, side: int) -> int:
    """Return how many people say the same of a pair as the judge; none where it is SILENT."""
    return 0 if side == SILENT else people[side]


def pos_bias(pair: JudgedPair) -> Ratio:
    """P(A) − ½ over the letters given: ½ always says A, −½ always B, 0 favours neither.

    Of one order per pair: P(A) − P(the better one is shown as A), so that a perfect judge has 0. Of
    ratings none: each answer is shown alone.
    """
    if pair.rated:
        return NOTHING
    given = [order for order in pair.orders if letter_of(order.final)]
    balanced = pair.shown_in_both_orders or not pair.decided
    return sum(
        float(order.final == "A") - (0.5 if balanced else float(order.gold == "A"))
        for order in given
    ), len(given)


def len_bias(pair: JudgedPair) -> Ratio:
    """P(it picks the longer response) − P(the longer is better), over the letters given.

    Only pairs with a better response and of unequal lengths count; 0 for a perfect judge.
    """
    longer = pair.chosen_chars - pair.rejected_chars
    if not longer or not pair.decided:
        return NOTHING
    picked_chosen = [o.final == o.gold for o in pair.orders if letter_of(o.final)]
    chosen_is_longer = longer > 0
    excess = [float(picked == chosen_is_longer) - chosen_is_longer for picked in picked_chosen]
    return sum(excess), len(excess)


def tie_rate(pair: JudgedPair) -> Ratio:
    """Orders whose vote ended equal, with no single verdict most often; without votes none."""
    ties = [votes.ended_equal(order.samples) for order in pair.orders if not order.ratings]
    return sum(ties), len(ties)


def judge_tie_rate(pair: JudgedPair) -> Ratio:
    """Replies that say that neither answer is better, in a format that has this verdict.

    Of ratings: samples in which both answers have the same score.
    """
    said = own_verdicts(pair)
    return said.count(TIE), len(said)


def invalid_rate(pair: JudgedPair) -> Ratio:
    """Replies without a verdict or a score of their own, forced or not afterwards."""
    replies = [score for order in pair.orders for score in order.ratings] or own_verdicts(pair)
    return replies.count(None), len(replies)


def own_verdicts(pair: JudgedPair) -> list[Reading]:
    """Return what the replies in all orders said, of votes the first samples."""
    first = [verdict for samples, _ in first_samples(pair) for verdict in samples]
    return first or [order.own for order in pair.orders]


def forced_rate(pair: JudgedPair) -> Ratio:
    """Verdicts counted above that had to be forced."""
    forced = [order.own is None and order.final is not None for order in pair.orders]
    return sum(forced), len(forced)


def did_not_fit_rate(pair: JudgedPair) -> Ratio:
    """Pairs whose prompt and reply exceeded the model's context as they were."""
    return float(not pair.fits), 1


def len_baseline(pair: JudgedPair) -> Ratio:
    """What 'prefer the longer response' would score; equal lengths count one half."""
    longer = pair.chosen_chars - pair.rejected_chars
    return (0.5 if longer == 0 else float(longer > 0), 1) if pair.decided else NOTHING


def pick_a_baseline(pair: JudgedPair) -> Ratio:
    """What 'prefer the first response' (A) would score: ½ over both orders; of ratings none."""
    right = [order.gold == "A" for order in pair.orders]
    return (sum(right) / len(right), 1) if pair.decided and not pair.rated else NOTHING


def agreement(pair: JudgedPair) -> Ratio:
    """Agreement with each person's vote, ties included; two orders that differ are a tie.

    An order without a verdict is none: it agrees with nobody, and every vote counts.
    Source: setup S1 of MT-bench (arXiv 2306.05685, section 4.2), which counts inconsistent judges
    as ties; `get_mt_bench_agreement` with ban=[] in lm-sys/FastChat.
    """
    return with_people(pair, pair.votes)


def agreement_no_tie(pair: JudgedPair) -> Ratio:
    """Agreement with each person's vote where neither the judge nor that person says tie.

    An order without a verdict agrees with nobody here, either.
    Source: setup S2 of MT-bench; `get_mt_bench_agreement` with ban=["tie"] in lm-sys/FastChat.
    """
    return with_people_no_tie(pair, pair.votes)


def with_people(pair: JudgedPair, people: VoteCounts) -> Ratio:
    """Return what a pair adds to the agreement with these people, if shown in both orders."""
    agreeing = who_agree(people, preferred(pair))
    return (agreeing, sum(people)) if pair.shown_in_both_orders else NOTHING


def with_people_no_tie(pair: JudgedPair, people: VoteCounts) -> Ratio:
    """Return the same, where neither the judge nor the person says tie."""
    tied = preferred(pair) == NEITHER
    return NOTHING if tied else with_people(pair, (people[CHOSEN], people[REJECTED], 0))


def vote_entropy(pair: JudgedPair) -> Ratio:
    """Bits of disagreement among the samples of an order: 0 when all say the same."""
    entropies = [votes.entropy_of(first) for first, _ in first_samples(pair)]
    return sum(entropies), len(entropies)


def majority_of(j: int, pair: JudgedPair) -> Ratio:
    """What the majority of j of its samples scores in expectation, an equal, tied or silent vote ½.

    For the whole vote it is what was voted.
    """
    if not pair.decided:
        return NOTHING
    if j == pair.asked:
        scores = [points_of(order.own, order.gold) for order in pair.orders]
    else:
        scores = [votes.expected_majority(first, gold, j) for first, gold in first_samples(pair)]
    return sum(scores), len(scores)


def mean_of(j: int, pair: JudgedPair) -> Ratio:
    """What the means of j ratings of each answer score: equal ones, and those of none, ½.

    Samples are taken j at a time; for all of them it is what was decided.
    """
    if not pair.decided or not pair.rated:
        return NOTHING
    better, worse = (order.ratings for order in pair.orders)
    starts = range(0, pair.asked - j + 1, j)
    means = [[mean_score(ratings[i : i + j]) for ratings in (better, worse)] for i in starts]
    return sum(points_of(higher(*both), "A") for both in means), len(means)


def first_samples(pair: JudgedPair) -> list[tuple[tuple[Reading, ...], Verdict]]:
    """Return (samples that were drawn whatever they said, letter of the better one) of each order.

    Later ones are drawn only where these disagree, so counting them would bias a figure.
    """
    n = votes.always_drawn(pair.asked)
    return [(order.samples[:n], order.gold) for order in pair.orders if order.samples]


METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        acc,
        acc_strict,
        acc_pc,
        unforced_acc_pc,
        consistency,
        pos_bias,
        len_bias,
        tie_rate,
        judge_tie_rate,
        invalid_rate,
        forced_rate,
        did_not_fit_rate,
        len_baseline,
        pick_a_baseline,
    )
}
"""Name → metric, of every task."""

OF_PEOPLE: dict[str, Metric] = {"agreement": agreement, "agreement_no_tie": agreement_no_tie}
"""Of tasks whose pairs several people voted on."""


def of_votes(asked: int, *, pointwise: bool = False) -> dict[str, Metric]:
    """Return the metrics of a task that draws `asked` samples per order: powers of two, and all."""
    if asked <= 1:
        return {}
    name, metric = ("mean", mean_of) if pointwise else ("maj", majority_of)
    powers = (2**i for i in range(asked.bit_length()))
    sizes = [j for j in powers if j < asked and j <= votes.always_drawn(asked)] + [asked]
    by_size: dict[str, Metric] = {f"{name}@{j}": partial(metric, j) for j in sizes}
    return {"vote_entropy": vote_entropy, **by_size}


def bounds_of(metric: Metric, pairs: Iterable[JudgedPair]) -> tuple[float, float]:
    """Return between which two values a metric of any pair lies; 0 and 1 of most."""
    if metric is len_bias:
        return -1.0, 1.0
    if metric is vote_entropy:
        return 0.0, votes.MOST_ENTROPY
    in_both = all(pair.shown_in_both_orders for pair in pairs)
    if metric is pos_bias:
        return (-0.5, 0.5) if in_both else (-1.0, 1.0)
    return (0.5, 0.5) if metric is pick_a_baseline and in_both else (0.0, 1.0)


_HIGHER_IS_BETTER = {
    "acc",
    "acc_strict",
    "acc_pc",
    "unforced_acc_pc",
    "consistency",
    "agreement",
    "agreement_no_tie",
    "acc_averaged",
}


def higher_is_better(name: str) -> bool:
    """Return whether more of a metric is better; of the others no direction is, or less is."""
    return name in _HIGHER_IS_BETTER or name.startswith(("maj@", "mean@"))
