"""Rules that stop, proved: the same kept sample as with all of them, and rates without bias."""

import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from ste_plugin.sampling.stopping_rules import (
    MISS_RATE,
    RULES,
    Counts,
    fixed,
    interval,
    pass_rate,
    until_both,
    until_correct,
    until_decided,
)

OUTCOMES = ("correct", "wrong", "neither")
COUNTS = st.tuples(*[st.integers(0, 9)] * 3).map(lambda c: Counts(*c))


def counts(outcomes) -> Counts:
    return Counts(*(outcomes.count(o) for o in OUTCOMES))


def drawn(rule, outcomes) -> list:
    """The samples that a rule draws where these would come, one after another."""
    seen: list = []
    while size := rule(counts(seen), len(outcomes)):
        seen = list(outcomes[: len(seen) + size])
    return seen


def sequences(most, kinds=OUTCOMES):
    return product(kinds, repeat=most)


@pytest.mark.parametrize("name", RULES)
@given(seen=COUNTS, most=st.integers(1, 40))
def test_no_wave_goes_beyond_the_most_samples(name, seen, most):
    if seen.drawn <= most:
        assert 0 <= RULES[name](seen, most) <= most - seen.drawn


@pytest.mark.parametrize("most", range(1, 9))
def test_stopping_at_a_correct_sample_keeps_the_one_that_all_samples_would(most):
    for outcomes in sequences(most, OUTCOMES[:2]):
        among_all = outcomes.index("correct") if "correct" in outcomes else None
        seen = drawn(until_correct, outcomes)
        assert (seen.index("correct") if "correct" in seen else None) == among_all


@pytest.mark.parametrize("most", range(1, 8))
def test_stopping_at_both_keeps_the_correct_and_the_wrong_one_that_all_samples_would(most):
    for outcomes in sequences(most):
        seen = drawn(until_both, outcomes)
        if "correct" in outcomes and "wrong" in outcomes:
            assert seen.index("correct") == outcomes.index("correct")
            assert seen.index("wrong") == outcomes.index("wrong")


@pytest.mark.parametrize("most", range(1, 9))
def test_a_decided_vote_is_the_full_vote_and_draws_what_one_by_one_would(most):
    for outcomes in sequences(most):
        seen = drawn(until_decided, outcomes)
        full, early = counts(outcomes), counts(seen)
        assert (full.correct > full.wrong) == (early.correct > early.wrong)
        assert (full.correct < full.wrong) == (early.correct < early.wrong)
        for n in range(len(seen)):  # one sample fewer would not have settled it
            fewer = counts(seen[:n])
            assert abs(fewer.correct - fewer.wrong) <= most - n


def test_a_fixed_number_is_drawn_at_once():
    assert fixed(Counts(), 15) == 15
    assert fixed(Counts(9, 4, 2), 15) == 0


def test_until_correct_draws_waves_of_one_two_four_and_eight():
    seen = [until_correct(Counts(0, n, 0), 15) for n in (0, 1, 3, 7, 15)]
    assert seen == [1, 2, 4, 8, 0]


@pytest.mark.parametrize("accuracy", [0.5, 0.75])
def test_the_kept_text_is_distributed_as_with_all_samples(accuracy):
    """A judge with known texts: which of the correct ones is kept, 100,000 pairs each way."""
    texts = [(f"right {n}", accuracy / 4 * share) for n, share in enumerate((2, 1, 0.6, 0.4))]
    texts += [("wrong", 1 - accuracy)]
    population, weights = zip(*texts, strict=True)
    draw = random.Random(7)

    def kept(rule):
        seen: list[str] = []
        while size := rule(counts(["wrong" if t == "wrong" else "correct" for t in seen]), 15):
            seen += draw.choices(population, weights, k=size)
        return next((t for t in seen if t != "wrong"), "none")

    found = [Counter(kept(rule) for _ in range(100_000)) for rule in (until_correct, fixed)]
    kinds = sorted({*found[0], *found[1]} - {"none"})
    assert chi2_contingency([[f[k] for k in kinds] for f in found]).pvalue > 0.01


@pytest.mark.parametrize("most", range(1, 6))
@pytest.mark.parametrize("chances", [(0.5, 0.3, 0.2), (0.75, 0.25, 0.0), (0.1, 0.8, 0.1)])
def test_the_kept_text_has_exactly_the_chance_that_it_has_among_all_samples(most, chances):
    """By enumeration: the chance that the kept sample is a given one of two correct texts."""
    kinds = ("first", "second", "wrong")

    def chance_of(rule, kept):
        total = 0.0
        for said in product(kinds, repeat=most):
            likelihood = 1.0
            for kind in said:
                likelihood *= chances[kinds.index(kind)]
            seen = drawn(rule, tuple("wrong" if s == "wrong" else "correct" for s in said))
            right = [s for s in said[: len(seen)] if s != "wrong"]
            total += likelihood * (right[:1] == [kept])
        return total

    for kept in kinds[:2]:
        assert chance_of(until_correct, kept) == pytest.approx(chance_of(fixed, kept), abs=1e-12)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("most", [1, 2, 4, 7])
@pytest.mark.parametrize("chances", [(0.5, 0.3, 0.2), (0.9, 0.1, 0.0), (0.05, 0.5, 0.45)])
def test_a_pass_rate_is_right_on_the_average_whatever_the_rule(name, most, chances):
    mean = missed = 0.0
    for outcomes in sequences(most):
        likelihood = 1.0
        for outcome in outcomes:
            likelihood *= chances[OUTCOMES.index(outcome)]
        seen = counts(drawn(RULES[name], outcomes))
        mean += likelihood * pass_rate(RULES[name], seen, most)
        low, high = interval(seen.correct, seen.drawn)
        missed += likelihood * (not low <= chances[0] <= high)
    assert mean == pytest.approx(chances[0], abs=1e-12)
    assert missed <= MISS_RATE


def test_counts_that_end_within_a_wave_have_no_rate_but_an_interval():
    assert pass_rate(until_correct, Counts(0, 2, 0), 15) is None
    assert interval(0, 2)[0] == 0.0 < interval(0, 2)[1] < 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_an_interval_holds_the_share_that_was_seen_and_lies_within_zero_and_one(correct, other):
    low, high = interval(correct, correct + other)
    share = correct / (correct + other) if correct + other else 0.5
    assert 0.0 <= low <= share <= high <= 1.0


def test_more_samples_of_the_same_share_make_the_interval_narrower():
    widths = [high - low for low, high in (interval(3 * n, 4 * n) for n in (1, 4, 16, 64))]
    assert widths == sorted(widths, reverse=True)
