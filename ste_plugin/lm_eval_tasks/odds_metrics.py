"""Figures of a judge whose letters' likelihoods were measured, as what one pair adds to each."""

from math import isnan

from ste_plugin.judging.calibration import brier_of
from ste_plugin.judging.verdict import letter_of
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.metrics import NOTHING, Metric, Ratio


def acc_averaged(pair: JudgedPair) -> Ratio:
    """Right by the log-odds of A against B, averaged over both orders; even odds count one half."""
    odds = {order.gold: order.log_odds for order in pair.orders}
    shown_as_a, shown_as_b = odds.get("A"), odds.get("B")
    if shown_as_a is None or shown_as_b is None or not pair.decided:
        return NOTHING
    for_chosen = shown_as_a - shown_as_b
    return 0.5 if for_chosen == 0 else float(for_chosen > 0), 1


def brier(pair: JudgedPair) -> Ratio:
    """Squared distance of the right letter's probability from 1, over the orders: ¼ says one half.

    Source: Brier 1950, in the form for two outcomes.
    """
    margins = margins_of(pair)
    return sum(map(brier_of, margins)), len(margins)


def margins_of(pair: JudgedPair) -> list[float]:
    """Return the log-odds of the right letter against the wrong one, in each order measured.

    Weights that are not finite give none.
    """
    if not pair.decided:
        return []
    known = [(order.gold, order.log_odds) for order in pair.orders if order.log_odds is not None]
    return [odds if gold == "A" else -odds for gold, odds in known if not isnan(odds)]


def flip_rate(pair: JudgedPair) -> Ratio:
    """The other response preferred once the order is turned, of pairs with a letter in both."""
    letters = [letter_of(order.final) for order in pair.orders]
    if pair.rated or not pair.shown_in_both_orders or None in letters:
        return NOTHING
    return float(letters[0] == letters[1]), 1


OF_ODDS: dict[str, Metric] = {
    metric.__name__: metric for metric in (acc_averaged, brier, flip_rate)
}
"""Of tasks that measure the likelihoods of both letters."""
