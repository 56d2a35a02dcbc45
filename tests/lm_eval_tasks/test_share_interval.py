"""The interval of a share holds the truth near 0 and 1 too, where cases hang together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.lm_eval_tasks.share_interval import clustered_interval, share_interval

SETS = 200
CLUSTERS = st.lists(
    st.tuples(st.integers(1, 4), st.floats(0, 1)).map(lambda c: (c[0] * c[1], float(c[0]))),
    min_size=2,
    max_size=40,
)


def drawn(seed, share, clusters, size, likeness):
    """Hits of clusters whose own shares differ: `likeness` is their intraclass correlation."""
    draw = np.random.default_rng(seed)
    if not likeness:
        return draw.binomial(size, share, clusters)
    sum_of_both = (1 - likeness) / likeness
    own = draw.beta(share * sum_of_both, (1 - share) * sum_of_both, clusters)
    return draw.binomial(size, own)


def held(share, clusters, size, likeness):
    """In how many of the sets the interval holds the share."""
    count = 0
    for seed in range(SETS):
        hits = drawn(seed, share, clusters, size, likeness)
        low, high = clustered_interval((float(h), float(size)) for h in hits)
        count += low <= share <= high
    return count


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
@pytest.mark.parametrize(("size", "likeness"), [(1, 0), (2, 0.3), (2, 0.9), (4, 0.3)])
def test_it_holds_the_share_in_184_of_200_sets_or_more(share, size, likeness):
    """Of one that holds it in 95 of 100, fewer would be seen in 1 of 40 such tests."""
    assert held(share, 40, size, likeness) >= 184
    assert held(1 - share, 40, size, likeness) >= 184


UNEVEN = {
    "one of 100, 20 of 1": [100, *[1] * 20],
    "24 of 1 to 60": [*[1] * 10, *[2] * 5, *[5] * 4, *[20] * 3, *[60] * 2],
}


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("sizes", UNEVEN.values(), ids=UNEVEN)
def test_it_holds_the_share_in_170_of_200_sets_where_few_clusters_have_most_cases(share, sizes):
    """That is what one cluster or two can be asked to tell."""
    count = 0
    for draw in map(np.random.default_rng, range(SETS)):
        hits = draw.binomial(sizes, draw.beta(share, 1 - share, len(sizes)))
        low, high = clustered_interval(zip(map(float, hits), map(float, sizes), strict=True))
        count += low <= share <= high
    assert count >= 170


@given(CLUSTERS)
def test_it_lies_around_the_share_and_within_what_is_possible(clusters):
    low, high = clustered_interval(clusters)
    value = sum(hits for hits, _ in clusters) / sum(weight for _, weight in clusters)
    assert 0 <= low <= value + 1e-9
    assert value - 1e-9 <= high <= 1
    assert low < high


@given(CLUSTERS)
def test_the_other_share_has_the_other_ends(clusters):
    low, high = clustered_interval(clusters)
    other = clustered_interval([(weight - hits, weight) for hits, weight in clusters])
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-8)


@given(CLUSTERS, st.integers(2, 5))
def test_cases_that_repeat_others_of_their_cluster_tell_nothing_new(clusters, times):
    repeated = [(hits * times, weight * times) for hits, weight in clusters]
    total = sum(weight for _, weight in clusters)
    assert clustered_interval(repeated, total) == pytest.approx(clustered_interval(clusters))


@given(st.floats(0, 1), st.just(0.0) | st.floats(1e-6, 0.2), st.integers(2, 99))
def test_between_other_ends_it_is_the_same_interval_at_their_scale(share, variance, clusters):
    low, high = share_interval(share, variance, clusters)
    moved = share_interval(2 * share - 1, 4 * variance, clusters, within=(-1.0, 1.0))
    assert moved == pytest.approx((2 * low - 1, 2 * high - 1), abs=1e-8)


def test_clusters_that_are_all_alike_tell_how_few_they_are():
    assert clustered_interval([(3.0, 3.0)] * 40)[0] == pytest.approx(40 / (40 + 3.8415), abs=1e-4)
    assert clustered_interval([(1.0, 2.0)] * 40) == pytest.approx((0.456, 0.544), abs=1e-3)


def test_one_cluster_has_no_interval():
    assert clustered_interval([(1.0, 2.0), (0.0, 0.0)]) is None
