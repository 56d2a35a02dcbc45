"""Figures of grouped sums have the intervals that they should, and are compared as pairs."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.jackknife import (
    Estimate,
    GroupedSums,
    change,
    estimate_of,
    share_of,
)

MEAN = share_of(0, 1)


def sums_of(values, width=2):
    sums = GroupedSums(width)
    for number, value in enumerate(values):
        sums.add(f"key {number}", (value, 1))
    return sums


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.9, 0.98])
def test_a_share_of_40_prompts_of_four_pairs_is_held_in_184_of_200_sets_or_more(rate):
    random, held = Random(0), 0
    for _ in range(200):
        sums = GroupedSums(2)
        for prompt in range(40):
            own = random.betavariate(4 * rate, 4 * (1 - rate))  # pairs of a prompt are alike
            for _ in range(4):
                sums.add(f"prompt {prompt}", (random.random() < own, 1))
        low, high = sums.share(MEAN).interval
        held += low <= rate <= high
    assert held >= 184


def test_a_share_that_was_never_seen_is_not_known_to_be_nil():
    low, high = sums_of([0] * 40).share(MEAN).interval
    assert low == 0
    assert 0.08 < high < 0.12


def test_a_figure_that_is_no_plain_share_has_an_interval_of_those_that_tell_of_it():
    sums = sums_of([1] * 40)
    few = sums.bounded(MEAN, lambda group: float(group == sums.groups[min(sums.groups)]))
    many = sums.bounded(MEAN, lambda _: 1.0)
    assert few.figure == many.figure == 1
    assert few.interval[0] <= many.interval[0] < 1


def test_what_hangs_together_is_one_group_and_widens_the_interval():
    random = Random(1)
    outcomes = [random.random() < 0.5 for _ in range(80)]
    alone = sums_of(outcomes).estimate(MEAN).interval
    together = GroupedSums(2)
    for number, outcome in enumerate(outcomes):
        for _ in range(4):  # four pairs of one prompt, judged alike
            together.add(f"key {number}", (outcome, 1))
    low, high = together.estimate(MEAN).interval
    assert high - low == pytest.approx(alone[1] - alone[0])


def test_two_judges_on_the_same_pairs_are_compared_as_pairs():
    random = Random(2)
    first = [random.random() for _ in range(100)]
    second = [value + 0.01 for value in first]
    both = sums_of(first).beside(sums_of(second))
    moved = both.estimate(change(MEAN, 2))
    assert moved.above(0.009) and moved.below(0.011)
    assert not sums_of(second).estimate(MEAN).above(sums_of(first).estimate(MEAN).figure)


@given(st.lists(st.integers(0, 1), max_size=9))
def test_few_pairs_decide_nothing(values):
    estimate = sums_of(values).estimate(MEAN)
    assert estimate.interval is None
    assert not estimate.above(-1.0)
    assert not estimate.below(2.0)


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 1)), max_size=60), st.randoms())
def test_the_order_in_which_pairs_come_does_not_matter(rows, random):
    shuffled = rows[:]
    random.shuffle(shuffled)
    estimates = []
    for order in (rows, shuffled):
        sums = GroupedSums(2)
        for key, value in order:
            sums.add(key, (value, 1))
        estimates.append(sums.estimate(MEAN))
    first, second = estimates
    assert first.figure == pytest.approx(second.figure)
    assert (first.interval is None) == (second.interval is None)


def test_a_figure_that_one_group_alone_defines_has_no_interval():
    assert estimate_of(0.5, [0.5] * 20 + [None]) == Estimate(0.5, None)
