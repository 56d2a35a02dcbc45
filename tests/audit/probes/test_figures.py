"""The figures of probes: what they mean, and what chance alone makes of them."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.probes.figures import (
    LEAST_PROMPTS,
    binomial_tail,
    difference,
    holm,
    mean_and_interval,
    measured,
    sign_flip_p,
)

P = st.floats(0, 1)


def values(numbers, prompts=None) -> dict[str, tuple[str, float]]:
    keys = prompts or range(len(numbers))
    return {f"p{i}": (f"i{k}", v) for i, (k, v) in enumerate(zip(keys, numbers, strict=True))}


@given(st.lists(P, max_size=12))
def test_holm_never_lowers_a_p_value_nor_reorders_any(ps):
    corrected = holm(ps)
    assert all(p <= c <= 1 for p, c in zip(ps, corrected, strict=True))
    by_p = sorted(zip(ps, corrected, strict=True))
    assert [c for _, c in by_p] == sorted(corrected)


def test_holm_is_as_worked_by_hand():
    assert holm([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.06, 0.06, 0.5])


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


def test_pairs_of_one_prompt_count_as_one():
    each = measured(values([1.0] * 40), "more", 0.05, 0)
    alike = measured(values([1.0] * 40, [n // 2 for n in range(40)]), "more", 0.05, 0)
    assert (each.prompts, alike.prompts) == (40, 20)
    mixed = [1.0, 0.0] * 20
    apart = mean_and_interval(values(mixed))[1]
    together = mean_and_interval(values(mixed, [n // 4 * 2 + n % 2 for n in range(40)]))[1]
    assert together[1] - together[0] > apart[1] - apart[0]


def test_too_few_prompts_have_no_figure():
    many = values([1.0] * 40, [n % (LEAST_PROMPTS - 1) for n in range(40)])
    assert measured(many, "more", 0.05, 0) is None
    assert difference(many, many) is None


def test_pairs_that_are_all_alike_do_not_have_an_interval_of_no_width():
    assert mean_and_interval(values([0.0] * 37)) == (0.0, (-0.1, 0.1))
    assert mean_and_interval(values([1.0] * 37)) == (1.0, (0.9, 1.0))


def test_a_rate_is_held_to_its_threshold_not_to_none():
    few = measured(values([1.0] + [0.0] * 39), "rate", 0.05, 0)
    many = measured(values([1.0] * 10 + [0.0] * 30), "rate", 0.05, 0)
    assert few.p == pytest.approx(1 - 0.95**40)
    assert many.p < 0.0001 < few.p


def test_a_binomial_tail_is_one_for_no_hits_and_all_of_them_for_every_one():
    assert binomial_tail(0, 9, 0.3) == pytest.approx(1)
    assert binomial_tail(9, 9, 0.3) == pytest.approx(0.3**9)


def test_a_change_since_the_seed_is_of_the_pairs_that_both_judged():
    before, after = values([0.0] * 30), values([1.0] * 20)
    assert difference(after, before)[0] == 1.0
