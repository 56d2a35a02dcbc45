"""A rate, and an interval that knows which cases hang together."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ste_plugin.review.rates import ONE_CLUSTER, Case, rate_of

CASES = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=40
)


def test_of_independent_cases_it_is_wilsons_interval_but_for_students_quantile():
    n, right = 400, 300
    found = rate_of(Case(str(i), float(i < right)) for i in range(n))
    wilson = binomtest(right, n).proportion_ci(method="wilson")
    assert found.value == 0.75
    assert found.interval == pytest.approx((wilson.low, wilson.high), abs=5e-4)


def test_a_hundred_answers_to_one_question_are_one_piece_of_evidence():
    apart = [Case(str(i), float(i % 4 > 0)) for i in range(40)]
    together = [Case(case.cluster, case.value) for case in apart for _ in range(100)]
    assert rate_of(together).interval == pytest.approx(rate_of(apart).interval)


def test_where_all_are_right_the_interval_tells_how_few_prompts_say_so():
    few = rate_of(Case(str(i % 5), 1.0) for i in range(500))
    assert few.value == 1
    assert few.interval == pytest.approx((5 / (5 + 1.959964**2), 1.0), abs=1e-6)


def test_one_prompt_tells_nothing_of_others():
    found = rate_of([Case("a", 1.0), Case("a", 0.0)])
    assert (found.value, found.interval, found.why) == (0.5, None, ONE_CLUSTER)


def test_nothing_counted_is_told():
    assert rate_of([]).value is None
    assert rate_of([]).why == "nothing to count"


def test_a_case_that_stands_for_three_counts_three_times():
    weighted = rate_of([Case("a", 1.0, 3.0), Case("b", 0.0)])
    assert weighted.value == 0.75
    assert weighted.value == rate_of([Case("a", 1.0)] * 3 + [Case("b", 0.0)]).value


@given(CASES, st.randoms(use_true_random=False))
def test_the_interval_holds_the_rate_and_knows_no_order_and_no_name(cases, shuffled):
    known = [Case(str(cluster), value) for cluster, value in cases]
    found = rate_of(known)
    renamed = [Case(f"prompt {99 - int(case.cluster)}", case.value) for case in known]
    shuffled.shuffle(renamed)
    assert rate_of(renamed) == found
    if found.interval:
        assert 0 <= found.interval[0] <= found.value <= found.interval[1] <= 1


def test_of_cases_that_hang_together_it_holds_the_truth_as_often_as_it_says():
    draw, held = random.Random(5), 0
    truth, rounds = 0.8, 400
    for _ in range(rounds):
        cases = []
        for prompt in range(30):
            own = min(1.0, max(0.0, draw.betavariate(8, 2)))  # mean 0.8; prompts differ
            cases += [Case(str(prompt), float(draw.random() < own)) for _ in range(3)]
        low, high = rate_of(cases).interval
        held += low <= truth <= high
    assert 0.92 <= held / rounds <= 0.985
