"""Figures of votes that stop early, held against the full vote: every sequence, weighed exactly."""

from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import product

import pytest

from ste_plugin.judging.verdict import majority
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.metrics import METRICS, OF_PEOPLE, invalid_rate, of_votes
from ste_plugin.lm_eval_tasks.votes import next_wave

SAYS = ("A", "B", "tie", None)
SILENT, EAGER = (0, 0, 0, 1), (Fraction(3, 5), Fraction(2, 5), 0, 0)
SHY = (Fraction(1, 20), Fraction(1, 20), 0, Fraction(9, 10))
UNDECIDED = (Fraction(1, 4), 0, Fraction(1, 2), Fraction(1, 4))
PROMPTS = [(SILENT, SILENT), (EAGER, SHY), (SHY, UNDECIDED), (UNDECIDED, EAGER)]
"""Chances of each reply in the one order and in the other, of prompts that differ widely."""


@cache
def drawn(sequence):
    """The samples of a sequence that early stopping draws."""
    n = 0
    while more := next_wave(sequence[:n], len(sequence)):
        n += more
    return sequence[:n]


def whole(sequence):
    return sequence


def orders(gold, k, chances, stop):
    """What an order can end as → how likely."""
    found = Counter()
    for sequence in product(SAYS, repeat=k):
        likely = Fraction(1)
        for said in sequence:
            likely *= dict(zip(SAYS, chances, strict=True))[said]
        samples = stop(sequence)
        found[OrderVerdict(gold, majority(samples), samples=samples)] += likely
    return {order: likely for order, likely in found.items() if likely}


def expected(k, chances, stop):
    """Name of each metric → what a pair adds to it in expectation."""
    metrics = METRICS | OF_PEOPLE | of_votes(k)
    sums = {name: [0, 0] for name in metrics}
    first, second = (orders(gold, k, c, stop) for gold, c in zip("AB", chances, strict=True))
    for (a, p), (b, q) in product(first.items(), second.items()):
        pair = JudgedPair("p", "s", "q", (a, b), 9, 5, votes=(2, 1, 1), asked=k)
        for name, metric in metrics.items():
            numerator, denominator = metric(pair)
            sums[name][0] += float(p * q) * numerator
            sums[name][1] += float(p * q) * denominator
    return sums


@pytest.mark.parametrize("chances", PROMPTS)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_every_figure_of_votes_that_stop_early_expects_what_it_does_of_the_full_vote(k, chances):
    early, full = expected(k, chances, drawn), expected(k, chances, whole)
    assert early == {name: pytest.approx(sums, abs=1e-12) for name, sums in full.items()}


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_prompts_that_draw_more_because_they_are_silent_count_no_more_among_invalid_replies(k):
    added = [
        invalid_rate(JudgedPair("p", "s", "q", (order,), 9, 5, asked=k))
        for silent in (True, False)
        for order in orders("A", k, SILENT if silent else (1, 0, 0, 0), drawn)
    ]
    silent, of = (sum(column) for column in zip(*added, strict=True))
    assert silent / of == 0.5
