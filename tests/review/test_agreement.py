"""How far raters agree: held to published figures, to other libraries, and to hand calculation."""

import random

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from ste_plugin.review.agreement import NO_OVERLAP, Rating, agreement, agreement_with, pairwise
from ste_plugin.review.coefficients import ALL_ALIKE, ONE_CATEGORY
from ste_plugin.review.rates import ONE_CLUSTER

FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""12 units. Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability, example C; the
data `cac.raw4raters` of Gwet's irrCAC, too."""
ABSTRACTORS = ((13, 0, 0), (0, 20, 7), (0, 4, 56))
"""100 pregnancies. Source: `cont3x3abstractors` of irrCAC 1.0 (Gwet), CRAN's vignette."""

GIVEN = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.integers(0, 8)),
    st.sampled_from(["better", "worse", "tie"]),
    max_size=27,
)


def ratings_of(rows):
    """Ratings by row of a table that has a rater a row and an item a column."""
    return [
        Rating(f"rater {row}", f"item {column}", category)
        for row, given in enumerate(rows)
        for column, category in enumerate(given.split())
        if category != "."
    ]


def crossed(table):
    """Two raters' ratings with this table of counts."""
    cells = [(a, b) for a, row in enumerate(table) for b, n in enumerate(row) for _ in range(n)]
    return [
        Rating(rater, f"item {i}", f"category {c}")
        for i, cell in enumerate(cells)
        for rater, c in zip("ab", cell, strict=True)
    ]


def test_four_observers_agree_as_krippendorff_and_gwet_publish():
    found = agreement(ratings_of(FOUR_OBSERVERS))
    assert (found.items, found.ratings, found.kappa) == (11, 40, None)
    assert found.raw.value == pytest.approx(0.81818, abs=5e-6)
    assert found.alpha.value == pytest.approx(0.743, abs=5e-4)  # Krippendorff 2011
    assert found.alpha.value == pytest.approx(0.74342, abs=5e-6)  # irrCAC
    assert found.ac1.value == pytest.approx(0.77544, abs=5e-6)
    assert found.ac1.expected == pytest.approx(0.19032, abs=5e-6)


def test_two_abstractors_agree_as_gwet_publishes():
    found = agreement(crossed(ABSTRACTORS))
    assert found.raw.value == 0.89
    assert found.kappa.value == pytest.approx(0.7964094, abs=5e-8)
    assert found.kappa.expected == pytest.approx(0.4597)
    assert found.ac1.value == pytest.approx(0.8493305, abs=5e-8)
    assert found.alpha.value == pytest.approx(0.7972585, abs=5e-8)
    # irrCAC's intervals, by linearisation
    assert found.kappa.interval == pytest.approx((0.680, 0.913), abs=0.02)
    assert found.ac1.interval == pytest.approx((0.764, 0.935), abs=0.02)
    assert found.alpha.interval == pytest.approx((0.680, 0.914), abs=0.02)


def test_kappas_paradox_by_hand():
    # 90 of 100 agree, but nearly all is one category: chance agrees on 0.95² + 0.05² = 0.905
    found = agreement(crossed(((90, 5), (5, 0))))
    assert found.raw.value == 0.9
    assert found.kappa.expected == pytest.approx(0.905)
    assert found.kappa.value == pytest.approx((0.9 - 0.905) / (1 - 0.905))
    assert found.ac1.expected == pytest.approx(2 * 0.95 * 0.05)
    assert found.ac1.value == pytest.approx((0.9 - 0.095) / (1 - 0.095))


@given(GIVEN)
def test_alpha_is_that_of_krippendorff_and_kappa_that_of_scikit_learn(given_):
    ratings = [Rating(rater, str(item), c) for (rater, item), c in given_.items()]
    found, names = agreement(ratings), ["better", "worse", "tie"]
    rows = [
        [names.index(given_[r, i]) if (r, i) in given_ else np.nan for i in range(9)] for r in "abc"
    ]
    pairable = np.array(rows)[:, (~np.isnan(rows)).sum(axis=0) >= 2]
    if len(set(pairable[~np.isnan(pairable)])) > 1:
        expected = krippendorff.alpha(reliability_data=rows, level_of_measurement="nominal")
        assert found.alpha.value == pytest.approx(expected, abs=1e-9)
    else:
        assert found.alpha.value is None
    for (a, b), two in pairwise(ratings).items():
        both = [(given_[a, i], given_[b, i]) for i in range(9) if {(a, i), (b, i)} <= set(given_)]
        if len({category for pair in both for category in pair}) > 1:
            assert two.kappa.value == pytest.approx(
                cohen_kappa_score(*zip(*both, strict=True)), abs=1e-9
            )
        else:
            assert two.kappa.value is None


@given(GIVEN)
def test_no_figure_depends_on_what_raters_and_items_are_called(given_):
    ratings = [Rating(rater, str(item), c) for (rater, item), c in given_.items()]
    renamed = [Rating("zyx"["abc".index(r)], f"item {9 - i}", c) for (r, i), c in given_.items()]
    found, other = agreement(ratings), agreement(list(reversed(renamed)))
    for name in ("raw", "ac1", "alpha"):
        first, second = getattr(found, name), getattr(other, name)
        assert (first.value, first.why) == (pytest.approx(second.value), second.why)
        assert first.interval == (second.interval and pytest.approx(second.interval))


@given(GIVEN, st.sampled_from([0.01, 3.0, 1e6]))
def test_how_many_pairs_every_item_stands_for_changes_nothing(given_, weight):
    ratings = [Rating(rater, str(item), c) for (rater, item), c in given_.items()]
    found, other = agreement(ratings), agreement([r._replace(weight=weight) for r in ratings])
    for name in ("raw", "ac1", "alpha"):
        first, second = getattr(found, name), getattr(other, name)
        assert (first.value, first.why) == (pytest.approx(second.value), second.why)


@given(st.lists(st.sampled_from(["better", "worse"]), min_size=2, max_size=20))
def test_raters_who_always_agree_have_1_and_an_interval_that_tells_how_few_they_were(categories):
    ratings = [Rating(r, str(i), c) for i, c in enumerate(categories) for r in "abc"]
    found = agreement(ratings, ["better", "worse"])
    assert found.raw.value == found.ac1.value == 1
    assert found.raw.interval[0] < found.raw.interval[1] == 1
    if len(set(categories)) == 2:
        assert found.alpha.value == 1
        assert found.alpha.interval[0] < found.alpha.interval[1] == 1
    else:
        assert (found.alpha.value, found.alpha.why) == (None, ONE_CATEGORY)


@given(GIVEN)
def test_no_interval_holds_what_a_coefficient_cannot_be(given_):
    ratings = [Rating(rater, str(item), c) for (rater, item), c in given_.items()]
    for found in (agreement(ratings), *pairwise(ratings).values()):
        for figure in filter(None, (found.kappa, found.ac1, found.alpha)):
            low, high = figure.interval or (0, 0)
            assert -1 <= low <= high <= 1


def test_of_few_pairs_all_alike_an_interval_ends_at_what_is_possible():
    rows = ("+ + + + + -", "+ + + + + -")  # raw 54% at least, chance 72%
    assert -1 <= agreement(ratings_of(rows)).kappa.interval[0] < 0
    rows = ("+ " * 30 + "-",) * 2
    few = [r._replace(cluster="x" if r.item != "item 30" else "y") for r in ratings_of(rows)]
    assert agreement(few).kappa.interval == (-1, 1)


def test_raters_who_guess_have_coefficients_about_0():
    draw = random.Random(3)
    ratings = [
        Rating(r, str(i), draw.choice(["better", "worse"])) for i in range(500) for r in "ab"
    ]
    found = agreement(ratings)
    for figure in (found.kappa, found.ac1, found.alpha):
        assert figure.interval[0] < 0 < figure.interval[1]


def test_one_category_alone_leaves_kappa_undefined_and_says_so():
    found = agreement([Rating(r, str(i), "better") for i in range(9) for r in "ab"])
    assert (found.kappa.value, found.kappa.why) == (None, ONE_CATEGORY)
    assert found.kappa.expected == 1
    assert found.ac1.value is None  # there is no second category that could have been given
    assert (
        agreement(
            [Rating(r, str(i), "better") for i in range(9) for r in "ab"], ["better", "worse"]
        ).ac1.value
        == 1
    )


def test_a_rater_who_always_says_the_same_has_kappa_0_and_no_interval_that_could_tell_more():
    ratings = ratings_of(("+ + - + - -", "+ + + + + +"))
    found = agreement(ratings)
    assert (found.kappa.value, found.kappa.interval, found.kappa.why) == (0, None, ALL_ALIKE)
    assert found.raw.interval is not None


def test_one_item_gives_a_value_and_no_interval():
    found = agreement([Rating("a", "x", "better"), Rating("b", "x", "worse")])
    assert found.raw.value == 0
    assert (found.alpha.interval, found.alpha.why) == (None, ONE_CLUSTER)


def test_raters_of_different_items_cannot_agree():
    found = agreement([Rating("a", "x", "better"), Rating("b", "y", "worse")])
    assert found.items == 0
    for figure in (found.raw, found.kappa, found.ac1, found.alpha):
        assert (figure.value, figure.interval, figure.why) == (None, None, NO_OVERLAP)
    assert agreement([]).raw.why == NO_OVERLAP


def test_items_of_one_prompt_are_resampled_together():
    apart = crossed(ABSTRACTORS)
    together = [r._replace(cluster=str(int(r.item.split()[1]) // 10)) for r in apart]
    assert agreement(together).kappa.value == agreement(apart).kappa.value
    assert agreement(together).prompts == 10
    wide, narrow = agreement(together).raw.interval, agreement(apart).raw.interval
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_an_item_that_stands_for_many_counts_as_many():
    rows = ("+ + - - +", "+ - - + +")
    ratings = [
        r._replace(weight=3.0 if r.item == "item 1" else 1.0, cluster=r.item)
        for r in ratings_of(rows)
    ]
    first = [r for r in ratings_of(rows) if r.item == "item 1"]
    tripled = ratings_of(rows) + [r._replace(item=f"again {n}") for r in first for n in range(2)]
    weighted, repeated = agreement(ratings), agreement(tripled)
    assert weighted.raw.value == pytest.approx(repeated.raw.value) == pytest.approx(3 / 7)
    assert weighted.kappa.value == pytest.approx(repeated.kappa.value)
    assert weighted.ac1.value == pytest.approx(repeated.ac1.value)


def test_a_judge_is_held_against_each_person_in_turn():
    people = ratings_of(("+ + - .", "+ - - -"))
    judged = {"item 0": "+", "item 1": "+", "item 2": "+", "item 3": "-", "item 9": "-"}
    found = agreement_with(judged, people)
    assert (found.items, found.ratings) == (4, 14)
    assert found.raw.value == pytest.approx((1 + 0.5 + 0 + 1) / 4)  # each item counts once


def test_of_two_ratings_by_one_rater_the_last_counts():
    first = [Rating("a", "x", "+"), Rating("b", "x", "-"), Rating("a", "y", "+")]
    changed = [*first, Rating("b", "y", "+"), Rating("b", "x", "+")]
    assert agreement(changed).raw.value == 1
    assert agreement_with({"x": "+", "y": "+"}, changed).raw.value == 1
