"""An interval that holds however often one looks: its shape, its errors, its cost."""

import random
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import binomtest

from ste_plugin.audit.always_valid import Cases, cases_needed, interval

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def zeros_and_ones(right, n):
    return [1.0] * right + [0.0] * (n - right)


@pytest.mark.parametrize(("right", "n"), [(8, 10), (122, 153), (800, 1000)])
def test_of_outcomes_that_are_0_or_1_it_is_the_beta_binomial_mixture(right, n):
    def excess(mean):
        mixed = betaln(1 + right, 1 + n - right)
        return mixed - right * log(mean) - (n - right) * log(1 - mean) - log(20)

    ends = brentq(excess, 1e-9, right / n), brentq(excess, right / n, 1 - 1e-9)
    assert interval(zeros_and_ones(right, n)) == pytest.approx(ends, abs=1e-5)


@given(VALUES, st.randoms(use_true_random=False))
def test_it_holds_the_mean_whatever_the_order(values, shuffled):
    low, high = interval(values)
    assert 0 <= low <= sum(values) / len(values) + 1e-9
    assert sum(values) / len(values) - 1e-9 <= high <= 1
    shuffled.shuffle(values)
    assert interval(values) == (low, high)


@given(VALUES)
def test_turned_round_it_is_its_mirror_image(values):
    low, high = interval(values)
    assert interval([1 - value for value in values]) == pytest.approx((1 - high, 1 - low), abs=1e-6)


def test_without_cases_nothing_is_known():
    assert interval([]) == (0.0, 1.0)
    assert cases_needed([], 0.8) is None


def test_a_value_that_is_no_share_is_refused():
    with pytest.raises(ValueError):
        interval([1.5])


def test_cases_that_hardly_differ_need_fewer():
    alike = [0.85, 0.9, 0.95] * 20
    split = zeros_and_ones(54, 60)
    assert sum(alike) == pytest.approx(sum(split))
    assert interval(alike)[0] > 0.8 > interval(split)[0]


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.95])
def test_as_many_as_are_needed_decide_and_far_fewer_do_not(threshold):
    values = zeros_and_ones(9, 10)
    needed = cases_needed(values, threshold)
    assert Cases.of(values * (needed // 10 + 1)).excludes(threshold)
    assert not Cases.of(values * (needed // 12)).excludes(threshold)


def test_no_number_decides_what_lies_on_the_threshold():
    assert cases_needed(zeros_and_ones(80, 100), 0.8) is None


def looks(draw, mean, most=300, every=10):
    """Cases with this mean, as many as there were at each look."""
    values = [float(draw.random() < mean) for _ in range(most)]
    return [values[:n] for n in range(every, most + 1, every)]


def test_looking_thirty_times_it_errs_in_fewer_than_one_of_twenty_and_others_do_not():
    draw, rounds, ever, one_look = random.Random(1), 300, 0, 0
    for _ in range(rounds):
        seen = looks(draw, 0.8)
        ever += any(Cases.of(values).excludes(0.8) for values in seen)
        one_look += any(binomtest(int(sum(v)), len(v), 0.8).pvalue < 0.05 for v in seen)
    assert ever / rounds <= 0.05
    assert one_look / rounds > 0.15  # which is why it takes this one


def test_a_judge_well_above_is_told_from_the_threshold_by_a_hundred_prompts():
    draw, rounds = random.Random(2), 100
    found = sum(Cases.of(looks(draw, 0.95, 100, 100)[-1]).excludes(0.8) for _ in range(rounds))
    assert found / rounds > 0.85
