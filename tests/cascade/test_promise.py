"""A promised error is kept, whatever the labels: exact tails, and simulated splits."""

import itertools
from collections import defaultdict
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.cascade.outcome import Outcome, Setting, answer, entropy
from ste_plugin.cascade.promise import (
    THRESHOLDS,
    assess_settings,
    fewest,
    more_prompts,
    one_per_prompt,
    tail,
    upper_bound,
)
from ste_plugin.judge import Tokens
from tests.helpers.cascades import outcomes

ERROR, SPLITS = 0.10, 100


@given(st.integers(1, 400), st.floats(0.01, 0.6), st.data())
def test_the_tail_is_the_binomial_one(n, rate, data):
    from scipy.stats import binom

    wrong = data.draw(st.integers(0, n))
    assert tail(wrong, n, rate) == pytest.approx(binom.cdf(wrong, n, rate), abs=1e-9)


@given(st.integers(1, 300), st.floats(0.001, 0.4), st.data())
def test_the_bound_is_where_the_tail_is_what_may_be_missed(n, miss, data):
    wrong = data.draw(st.integers(0, n - 1))
    bound = upper_bound(wrong, n, miss)
    assert wrong / n < bound <= 1
    assert tail(wrong, n, bound) == pytest.approx(miss, rel=1e-6)


def test_no_error_in_ten_answers_cannot_promise_a_tenth():
    assert tail(0, 10, 0.1) > 0.05  # 0.35
    assert fewest(0.1, 0.05) == 29
    few = assess_settings(outcomes(1, 10, reasoning=0.0, vote=0.0), ERROR, 0.95, 3)
    assert not any(each.passed for each in few)
    needed = more_prompts(few, 10, ERROR)
    enough = assess_settings(outcomes(1, 10 + 2 * needed, reasoning=0.0), ERROR, 0.95, 3)
    assert any(each.passed for each in enough)


def test_as_many_labels_as_are_asked_for_do_where_they_are_like_the_others():
    def of(n):
        return [Outcome(str(i), "s", str(i), 0.0, [i % 20 > 0], [Tokens()]) for i in range(n)]

    few = assess_settings(of(40), ERROR, 0.95, 1)
    needed = 40 + more_prompts(few, 40, ERROR)
    assert not any(each.passed for each in few)
    assert any(each.passed for each in assess_settings(of(needed), ERROR, 0.95, 1))
    assert not assess_settings(of(needed - 20), ERROR, 0.95, 1)[0].passed


def test_no_number_of_labels_helps_a_judge_that_errs_too_often():
    bad = [Outcome(str(i), "s", str(i), 0.0, [i % 3 > 0], [Tokens()]) for i in range(60)]
    assert more_prompts(assess_settings(bad, ERROR, 0.95, 1), 60, ERROR) is None


def test_a_few_answers_that_err_too_often_do_not_say_that_no_number_would_help():
    few = [Outcome(str(i), "s", str(i), 0.0, [i % 6 > 0], [Tokens()]) for i in range(12)]
    tested = assess_settings(few, ERROR, 0.95, 1)
    assert all(t.wrong == 2 and not t.passed for t in tested)  # a sixth, and the promise is a tenth
    assert more_prompts(tested, 12, ERROR) == fewest(ERROR, tested[0].level) - 12


def test_one_pair_of_a_prompt_is_tested_and_labels_do_not_choose_it():
    some = outcomes(3, 50, pairs_of_each=4)
    turned = [o._replace(right=[r if r is None else not r for r in o.right]) for o in some]
    kept = one_per_prompt(some)
    assert len(kept) == len({o.prompt for o in kept}) == 50
    assert [o.key for o in one_per_prompt(list(reversed(turned)))] == [o.key for o in kept]
    assert one_per_prompt([o._replace(labelled=False) for o in some]) == []


def test_a_setting_that_fails_hands_no_level_on():
    tested = assess_settings(outcomes(5, 400), ERROR, 0.95, 3)
    start = 0.05 / len(tested)
    for before, each in itertools.pairwise(tested):
        same = before.setting.deepest == each.setting.deepest
        inherited = before.level if same and before.passed else 0.0
        assert each.level == pytest.approx(start + inherited)


# What is drawn: calibrated decisions, overconfident judges at the edge of the promise, prompts on
# all of whose four pairs everything is wrong, and the same with a tenth of ties.
WORLDS = {
    "calibrated": ({"reasoning": 0.06, "vote": 0.08}, 400),
    "at the edge": ({"decision": 0.85, "reasoning": 0.10, "vote": 0.10}, 300),
    "clustered": ({"pairs_of_each": 4, "hang": 0.03, "reasoning": 0.01, "vote": 0.02}, 250),
    "clustered at the edge": ({"pairs_of_each": 4, "hang": 0.1, "decision": 0.95}, 150),
    "with ties": ({"reasoning": 0.05, "vote": 0.05}, 300),
}


@cache
def population(name):
    """Many pairs of a world, from which its settings' errors are known."""
    made, _ = WORLDS[name]
    return with_ties(name, outcomes("all", 6000, **made | {"pairs_of_each": 1}))


def with_ties(name, some):
    tied = name == "with ties"
    return [o._replace(labelled=not (tied and i % 10 == 0)) for i, o in enumerate(some)]


@cache
def true_error(name, setting):
    said = [answer(o, setting).right for o in population(name) if o.labelled]
    return said.count(False) / max(1, len(said) - said.count(None))


@pytest.mark.parametrize("name", WORLDS)
def test_the_error_is_at_most_the_promised_one_in_95_of_100_splits(name):
    made, prompts = WORLDS[name]
    found = defaultdict(int)
    for split in range(SPLITS):
        some = with_ties(name, outcomes(f"{name} {split}", prompts, **made))
        passed = [t for t in assess_settings(one_per_prompt(some), ERROR, 0.95, 3) if t.passed]
        best = max(passed, key=lambda t: t.answered, default=None)
        found[best is None or true_error(name, best.setting) <= ERROR] += 1
        found["promised"] += best is not None
    assert found[True] >= 95
    assert found["promised"] >= (0 if "at the edge" in name else 30)  # silence is no success


def test_thresholds_are_in_bits_from_sure_to_even():
    assert list(THRESHOLDS) == sorted(THRESHOLDS)
    assert THRESHOLDS[-1] == entropy(0.5) == 1.0
    assert Setting("decision", 0.1).depth == 1
