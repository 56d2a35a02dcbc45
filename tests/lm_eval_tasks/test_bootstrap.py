"""Standard errors and intervals know which subsets share prompts, and how small they are."""

import numpy as np
import pytest

from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, error_of, estimates
from ste_plugin.lm_eval_tasks.spread import spread_of

SETS = 100


def term(prompt, subset="", value=1.0, part=""):
    return MetricTerm(part, subset, str(prompt), float(value), 1.0)


def asked_in_all(right, subsets=8, part="all"):
    """Pairs of prompts that every subset has, and a judge gets all or none of a prompt right."""
    return [
        term(p, f"s{s}", hit, part.format(s)) for p, hit in enumerate(right) for s in range(subsets)
    ]


@pytest.mark.parametrize("part", ["all", "{}"], ids=["plain", "mean of the subsets"])
def test_pairs_of_a_prompt_that_every_subset_shares_tell_no_more_than_one(part):
    right = [i % 3 > 0 for i in range(48)]
    textbook = np.std(right, ddof=1) / len(right) ** 0.5
    assert error_of(asked_in_all(right, part=part)) == pytest.approx(textbook, rel=0.1)
    assert error_of(asked_in_all(right, subsets=1)) == pytest.approx(textbook, rel=0.1)


@pytest.mark.parametrize(("subsets", "size"), [(30, 2), (20, 3), (4, 15)])
def test_small_subsets_have_the_standard_error_of_a_stratified_mean(subsets, size):
    draw = np.random.default_rng(size)
    values = draw.integers(0, 2, (subsets, size)).astype(float)
    terms = [term((s, i), f"s{s}", values[s, i]) for s in range(subsets) for i in range(size)]
    textbook = (values.var(axis=1, ddof=1).sum() / size) ** 0.5 / subsets
    assert error_of(terms) == pytest.approx(textbook, rel=0.1)


def test_prompts_that_lie_in_other_subsets_each_are_resampled_together():
    terms = [term(i, f"s{s}", i % 2) for i in range(40) for s in (i, i + 1, 40 + i)]
    assert error_of(terms) == pytest.approx(0.08, rel=0.1)


def test_a_prompt_in_several_subsets_is_one_prompt():
    assert estimates([term("q", s) for s in "ab"]) is None
    assert spread_of([term("q", s) for s in "ab"]) is None


def test_every_part_has_a_prompt_in_every_resample():
    terms = [term(i, s, i % 2, part) for part, s in (("P", "a"), ("Q", "b")) for i in (0, 1)]
    terms += [term(7, "a", 1, "P"), term(8, "b", 0, "Q"), term(9, "c", 0, "Q")]
    assert np.isfinite(estimates(terms)).all()


def held(terms_of, truth):
    """In how many sets of pairs the interval of their share holds the truth."""
    spreads = [spread_of(terms_of(np.random.default_rng(seed))) for seed in range(SETS)]
    return sum(s.low <= truth <= s.high for s in spreads)


def every_subset_shares_the_prompts(draw):
    skill = draw.beta(0.7, 0.3, 50)
    return [term(p, f"s{s}", draw.random() < skill[p]) for p in range(50) for s in range(8)]


def many_subsets_of_two(draw):
    return [term(i, f"s{i // 2}", draw.random() < 0.7) for i in range(60)]


@pytest.mark.parametrize("terms_of", [every_subset_shares_the_prompts, many_subsets_of_two])
def test_an_interval_holds_the_share_in_90_of_100_sets_or_more(terms_of):
    """Of one that holds it in 95 of 100, fewer would be seen in 1 of 90 such tests."""
    assert held(terms_of, 0.7) >= 90
