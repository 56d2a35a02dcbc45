"""The figures of probes: what they mean, and what chance alone makes of them."""

import pytest

from ste_plugin.audit.probes.figures import (
    LEAST_PROMPTS,
    difference,
    mean_and_interval,
    measured,
)


def values(numbers, prompts=None) -> dict[str, tuple[str, float]]:
    keys = prompts or range(len(numbers))
    return {f"p{i}": (f"i{k}", v) for i, (k, v) in enumerate(zip(keys, numbers, strict=True))}


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


def test_a_rate_that_no_prompt_shows_is_not_known_to_be_nil():
    none = measured(values([0.0] * 40), "rate", 0.05, 0)
    assert none.interval == pytest.approx((0.0, 3.8415 / 43.8415), abs=1e-4)


def test_a_change_since_the_seed_is_of_the_pairs_that_both_judged():
    before, after = values([0.0] * 30), values([1.0] * 20)
    assert difference(after, before)[0] == 1.0
