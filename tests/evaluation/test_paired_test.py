"""The paired test by prompt, how many pairs it takes, and what testing several sets costs each."""

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.evaluation.paired_test import (
    POWER,
    Seen,
    holm,
    name_of,
    needed_in_words,
    pairs_needed,
    sign_flip_p,
)

P = st.floats(0, 1)
LEVELS = (0.05, 0.05 / 4)
SPLITS = [(10, 10, 0), (10, 5, 0), (40, 4, 0), (40, 12, 4), (40, 6, 2), (50, 30, 5), (100, 20, 10)]


@given(st.lists(P, max_size=12))
def test_holm_never_lowers_a_p_value_nor_reorders_any(ps):
    corrected = holm(ps)
    assert all(p <= c <= 1 for p, c in zip(ps, corrected, strict=True))
    by_p = sorted(zip(ps, corrected, strict=True))
    assert [c for _, c in by_p] == sorted(corrected)


def test_holm_is_as_worked_by_hand():
    assert holm([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.06, 0.06, 0.5])


def plain(pairs: int, won: int, lost: int) -> Seen:
    """Pairs that share no prompt, with the interval of so many."""
    differ, gain = (won + lost) / pairs, (won - lost) / pairs
    half = 1.96 * ((differ - gain**2) / pairs) ** 0.5
    return Seen(pairs, won, lost, (gain - half, gain + half))


def power(pairs: int, seen: Seen, level: float) -> float:
    """How often McNemar's exact test finds the difference, by going through all outcomes."""
    import numpy as np
    from scipy.stats import binom

    found = 0.0
    for count in range(pairs + 1):
        here = binom.pmf(count, pairs, (seen.won + seen.lost) / seen.pairs)
        won = np.arange(count + 1)
        p = np.minimum(1, 2 * binom.cdf(np.minimum(won, count - won), count, 0.5))
        share = seen.won / (seen.won + seen.lost)
        found += here * binom.pmf(won, count, share)[p < level].sum()
    return found


@pytest.mark.parametrize(("split", "level"), list(product(SPLITS, LEVELS)))
def test_as_many_pairs_as_are_asked_for_find_the_difference_that_often(split, level):
    seen = plain(*split)
    needed = pairs_needed(seen, level)
    if needed == seen.pairs + 1:  # there are enough already
        return
    assert power(needed, seen, level) >= POWER
    assert power(needed // 2, seen, level) < POWER


def test_fewer_coins_than_can_be_rare_are_never_called_enough():
    assert pairs_needed(plain(3, 3, 0), 0.05) == 6  # 2 / 2^5 is 0.06
    assert pairs_needed(plain(3, 3, 0), 0.05 / 6) >= 8  # 2 / 2^7 is 0.016


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 100), st.sampled_from(LEVELS))
def test_who_is_the_better_one_does_not_matter_nor_is_it_ever_too_few(won, lost, same, level):
    there, back = plain(won + lost + same, won, lost), plain(won + lost + same, lost, won)
    needed = pairs_needed(there, level)
    assert needed == pairs_needed(back, level)
    assert needed is None if won == lost else needed > there.pairs


def test_pairs_that_share_prompts_take_more_of_them():
    apart = plain(40, 12, 4)
    low, high = apart.interval
    wider = apart._replace(interval=(low - (high - low) / 2, high + (high - low) / 2))
    assert pairs_needed(wider, 0.05) == pytest.approx(4 * pairs_needed(apart, 0.05), abs=4)


def test_no_number_is_made_up_where_nothing_differs_or_all_are_of_one_prompt():
    assert pairs_needed(plain(40, 5, 5), 0.05) is None
    assert pairs_needed(Seen(4, 3, 0, None), 0.05) is None
    assert needed_in_words(None, 0.05, name_of(4, 1)) == ""


@given(st.integers(1, 10**7))
def test_in_words_a_number_is_rounded_up_and_by_little(needed):
    told = needed_in_words(needed, 0.05, name_of(9, 9)).split("about ")[1].split(" pairs")[0]
    assert needed <= int(told.replace(",", "")) < needed * 1.1 + 1


def test_a_sign_test_of_pairs_that_all_moved_one_way_is_a_row_of_coins():
    assert sign_flip_p([1.0] * 10, "more", 0) == 1 / 2**10
    assert sign_flip_p([1.0] * 10, "either", 0) == 2 / 2**10
    assert sign_flip_p([1.0] * 5 + [0.0] * 90, "more", 0) == 1 / 2**5


def test_of_one_pair_per_prompt_the_test_is_mcnemars_however_many_there_are():
    numbers = [1.0] * 12 + [-1.0] * 4
    exact = sum(comb(16, k) for k in range(12, 17)) / 2**16
    assert sign_flip_p(numbers, "more", 0) == pytest.approx(exact)
    assert sign_flip_p(numbers, "either", 0) == pytest.approx(2 * exact)
    assert sign_flip_p([*numbers, *(-n for n in numbers)], "either", 0) == 1


def test_drawn_signs_come_close_to_what_all_signs_say():
    numbers = [1.0] * 9 + [-1.0] * 3 + [2.0] * 4
    every = [(k + 2 * m, comb(12, k) * comb(4, m)) for k in range(13) for m in range(5)]
    exact = sum(ways for heads, ways in every if heads >= 9 + 8) / 2**16
    assert sign_flip_p(numbers, "more", 0) == pytest.approx(exact, abs=0.005)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=12))
def test_what_moves_one_way_and_as_far_the_other_way_is_no_evidence(numbers):
    both = [*numbers, *(-n for n in numbers)]
    assert sign_flip_p(both, "more", 0) >= 0.4
    assert sign_flip_p(both, "either", 0) == 1.0
