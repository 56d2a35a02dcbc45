"""Shares that are held to a level: how far they moved, and how likely that is by chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.held_out import WIDTH
from ste_plugin.audit.jackknife import GroupedSums
from ste_plugin.audit.shares import held_out_shares
from ste_plugin.config.audit import AuditConfig

BIAS, NO_VERDICT = held_out_shares(AuditConfig())
figures = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=12, max_size=40)


def silent(values, of=2):
    """A judge of which so many of the replies on each prompt state no verdict."""
    sums = GroupedSums(WIDTH)
    for number, value in enumerate(values):
        sums.add(f"prompt {number}", (0, 0, 0, 0, value, of, 0, 0))
    return sums


def toward_a(values):
    """A judge that gives A so much more often than B on each prompt, in two verdicts."""
    sums = GroupedSums(WIDTH)
    for number, value in enumerate(values):
        sums.add(f"prompt {number}", (value, 2, 0, 0, 0, 0, 0, 0))
    return sums


def test_of_few_prompts_that_tell_judges_apart_chance_is_as_likely_as_coins_say():
    before = silent([0] * 40)
    assert NO_VERDICT.p_worse(before, silent([2] * 4 + [0] * 36)) == 1 / 2**4
    assert BIAS.p_worse(toward_a([1] * 36 + [0] * 4), toward_a([1] * 40)) == 1 / 2**4
    assert BIAS.p_worse(toward_a([-1] * 36 + [0] * 4), toward_a([-1] * 40)) == 1 / 2**4


def test_a_change_that_is_none_is_likely_and_one_of_all_prompts_is_not():
    some, all_ = silent([0, 1] * 20), silent([2] * 40)
    assert NO_VERDICT.p_worse(some, some) == 1
    assert NO_VERDICT.p_worse(some, all_) < 0.001
    assert NO_VERDICT.p_worse(all_, some) > 0.999


@given(figures)
def test_a_change_and_its_way_back_have_turned_intervals(values):
    first, second = (silent([pair[i] for pair in values]) for i in (0, 1))
    there, back = NO_VERDICT.change(first, second), NO_VERDICT.change(second, first)
    if there.interval is None:
        return
    assert back.figure == pytest.approx(-there.figure)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert -1 <= there.interval[0] <= there.figure <= there.interval[1] <= 1


def test_a_change_of_shares_that_were_never_seen_is_not_known_to_be_none():
    low, high = NO_VERDICT.change(silent([0] * 40), silent([0] * 40)).interval
    assert low == pytest.approx(-high)
    assert 0.05 < high < 0.15


@pytest.mark.parametrize(("before", "now"), [(0.02, 0.02), (0.02, 0.1), (0.5, 0.5), (0.9, 0.98)])
def test_the_interval_of_a_change_holds_it_in_184_of_200_sets_or_more(before, now):
    held = 0
    for draw in map(np.random.default_rng, range(200)):
        luck = draw.random(40)  # of a prompt, for both judges alike in half of all
        own = np.where(draw.random(40) < 0.5, luck, draw.random(40))
        first, second = silent(1 * (luck < before), of=1), silent(1 * (own < now), of=1)
        low, high = NO_VERDICT.change(first, second).interval
        held += low <= now - before <= high
    assert held >= 184
