"""What chance alone makes of figures, and of how many are looked at."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.significance import binomial_tail, sign_flip_p


def test_a_sign_test_of_pairs_that_all_moved_one_way_is_a_row_of_coins():
    assert sign_flip_p([1.0] * 10, "more", 0) == 1 / 2**10
    assert sign_flip_p([1.0] * 10, "either", 0) == 2 / 2**10
    assert sign_flip_p([1.0] * 5 + [0.0] * 90, "more", 0) == 1 / 2**5


def test_drawn_signs_come_close_to_what_all_signs_say():
    numbers = [1.0] * 12 + [-1.0] * 4
    exact = sum(comb(16, k) for k in range(12, 17)) / 2**16
    assert sign_flip_p(numbers, "more", 0) == pytest.approx(exact, abs=0.005)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=12))
def test_what_moves_one_way_and_as_far_the_other_way_is_no_evidence(numbers):
    both = [*numbers, *(-n for n in numbers)]
    assert sign_flip_p(both, "more", 0) >= 0.4
    assert sign_flip_p(both, "either", 0) == 1.0


def test_a_binomial_tail_is_one_for_no_hits_and_all_of_them_for_every_one():
    assert binomial_tail(0, 9, 0.3) == pytest.approx(1)
    assert binomial_tail(9, 9, 0.3) == pytest.approx(0.3**9)
