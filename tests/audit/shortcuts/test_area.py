"""The area under the curve of pairs is that of both orientations, and its interval holds it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import roc_auc_score

from ste_plugin.audit.shortcuts.area import area_of
from ste_plugin.audit.shortcuts.classifiers import Differences, out_of_fold_scores

SCORES = st.lists(st.integers(-3, 3), min_size=2, max_size=30)


def each_its_own(scores):
    return np.array(scores, float), np.arange(len(scores))


@given(SCORES)
def test_it_is_the_area_of_both_orientations_of_each_pair(scores):
    both = np.array([*scores, *(-s for s in scores)])
    labels = [1] * len(scores) + [0] * len(scores)
    assert area_of(*each_its_own(scores)).auc == pytest.approx(roc_auc_score(labels, both))


@given(SCORES)
def test_turning_every_pair_round_turns_the_figure_round(scores):
    area = area_of(*each_its_own(scores))
    turned = area_of(*each_its_own([-s for s in scores]))
    assert turned.auc == pytest.approx(1 - area.auc)
    assert turned.told == pytest.approx(1 - area.told)
    assert turned.interval == pytest.approx((1 - area.interval[1], 1 - area.interval[0]))


@given(SCORES, st.integers(1, 5))
def test_repeating_the_pairs_of_an_instruction_makes_the_figure_no_surer(scores, times):
    scores, groups = each_its_own(scores)
    once = area_of(scores, groups)
    repeated = area_of(np.repeat(scores, times), np.repeat(groups, times))
    assert repeated.auc == pytest.approx(once.auc)
    assert repeated.interval == pytest.approx(once.interval)


def test_pairs_without_an_exception_have_an_interval_that_shrinks_with_their_number():
    low = [area_of(*each_its_own([1.0] * count)).interval[0] for count in (40, 400)]
    assert low == pytest.approx([0.025 ** (2 / 40), 0.025 ** (2 / 400)])
    assert area_of(*each_its_own([1.0] * 40)).interval[1] == 1.0


def test_the_interval_of_a_measure_holds_its_area_nineteen_times_in_twenty():
    draw = np.random.default_rng(1)
    truth = 0.7602  # Φ(0.5 · √2)
    held = [
        area.interval[0] <= truth <= area.interval[1]
        for _ in range(400)
        for area in [area_of(draw.normal(0.5, 1, 100), np.arange(100), are_fitted=False)]
    ]
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_interval_of_a_classifier_holds_chance_where_there_is_nothing_to_tell():
    draw = np.random.default_rng(1)
    held = []
    for _ in range(100):
        features = sparse.csr_matrix(draw.normal(size=(100, 20)) / np.sqrt(20))
        of = Differences(
            features, features, np.array([]), np.arange(100), np.arange(200).reshape(-1, 2)
        )
        low, high = area_of(out_of_fold_scores(features, of), of.groups).interval
        held.append(low <= 0.5 <= high)
    assert np.mean(held) >= 0.92
