"""Samples by strata: each strategy as often, each stratum its share, the same for all raters."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import DataError
from ste_plugin.review.population import Candidate, Stratum, candidates, chosen_splits, find_run
from ste_plugin.review.sample import (
    draw_sample,
    drawing_order,
    interval,
    read_sample,
)
from ste_plugin.storage.jsonl import replace_records
from tests.helpers.review_runs import judgment_of, plain_texts, run_with_pairs


def people(*sizes: tuple[Stratum, int]) -> list[Candidate]:
    return [
        Candidate(f"{stratum}{n}", "", stratum, Path(), 0)
        for stratum, size in sizes
        for n in range(size)
    ]


STRATA = [
    Stratum(s, right, sure) for s in "ab" for right in (True, False) for sure in (True, False)
]


@given(st.lists(st.integers(0, 30), min_size=8, max_size=8), st.integers(1, 80), st.integers(0, 5))
def test_however_many_come_first_strategies_and_strata_have_their_share(sizes, number, seed):
    there = people(*zip(STRATA, sizes, strict=True))
    drawn = drawing_order(there, seed)[:number]
    of_strategy, of_all = (
        Counter(c.stratum.strategy for c in drawn),
        Counter(c.stratum for c in there),
    )
    left = {s: sum(n for x, n in of_all.items() if x.strategy == s) - of_strategy[s] for s in "ab"}
    if all(left.values()):
        assert abs(of_strategy["a"] - of_strategy["b"]) <= 1
    for stratum, size in of_all.items():
        total = of_strategy[stratum.strategy] + left[stratum.strategy]
        expected = of_strategy[stratum.strategy] * size / total
        found = sum(c.stratum == stratum for c in drawn)
        assert abs(found - expected) < 4  # of four strata each may be one off


def test_every_pair_is_as_likely_to_be_drawn():
    """Of 200 seeds: a rare stratum is neither always in a sample nor never."""
    there = people((STRATA[0], 19), (STRATA[3], 1))
    drawn = Counter(c.key for seed in range(200) for c in drawing_order(there, seed)[:5])
    assert sum(drawn.values()) == 1000
    assert min(drawn.values()) > 25 and max(drawn.values()) < 80  # 50 each, ± 4 standard errors


def test_the_order_depends_on_the_seed_alone():
    there = people((STRATA[0], 9), (STRATA[5], 9))
    assert drawing_order(there, 1) == drawing_order(there[::-1], 1) != drawing_order(there, 2)


def test_intervals_are_wilsons():
    """Checked against R: prop.test(9, 10, correct = FALSE), and 0 of 10 by hand: z² / (n + z²)."""
    assert interval(0.9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert interval(0.0, 10) == pytest.approx((0.0, 3.8415 / 13.8415), abs=1e-4)
    assert interval(0.9, 0) == (0, 1)


@pytest.fixture
def run(tmp_path):
    return run_with_pairs(tmp_path / "run", plain_texts(60))


def drawn_of(run, kind="pair", split=None, number=None):
    folder, config = find_run(run.root)
    return draw_sample(folder, config, kind, chosen_splits(folder, split), number)


def test_a_larger_sample_begins_with_the_smaller_one(run):
    small = [item.key for item in drawn_of(run, number=8).items]
    assert [item.key for item in drawn_of(run).items] == small  # as before
    assert [item.key for item in drawn_of(run, number=14).items][:8] == small
    assert [item.key for item in drawn_of(run, number=5).items] == small[:5]
    assert len(read_sample(run)) == 14


def test_what_was_drawn_stays_when_the_judge_changes(run):
    before = [item.key for item in drawn_of(run, number=8).items]
    (run.root / "iter-01").rename(run.root / "iter-01-away")
    after = drawn_of(run, number=12).items
    assert [item.key for item in after][:8] == before
    assert after[0].drawn.right is not None and after[11].drawn.right is None


def test_held_out_pairs_are_drawn_with_what_their_own_judge_made_of_them(run):
    folder, config = find_run(run.root)
    held_out = candidates(folder, config, "pair", ("dev", "test"))
    strata = Counter((c.stratum.right, c.stratum.sure) for c in held_out)
    assert strata[True, True] > strata[False, False] + strata[False, True] >= 0
    assert strata[False, False] > 0  # right in one order alone
    assert set(strata) == {(True, True), (False, False)}
    assert {item.pair.key for item in drawn_of(run).items} == {c.key for c in held_out}


def test_training_pairs_are_drawn_with_how_often_the_judge_was_right(run):
    folder, config = find_run(run.root)
    strata = Counter(c.stratum[1:] for c in candidates(folder, config, "pair", ("train",)))
    assert set(strata) == {(True, True), (False, False), (False, True)}


def test_a_run_without_held_out_pairs_shows_those_it_trains_on(tmp_path):
    run = run_with_pairs(tmp_path / "run", plain_texts(9), dataset="{test_fraction: 0}")
    assert len(drawn_of(run).items) == 9


def test_a_run_that_has_judged_nothing_yet_is_drawn_by_strategy(tmp_path):
    run = run_with_pairs(tmp_path / "run", plain_texts(60), judged=False)
    sample = drawn_of(run, split="all", number=10)
    assert [share.drawn for share in sample.shares] == [5, 5]
    assert {item.drawn.right for item in sample.items} == {None}
    with pytest.raises(DataError, match="no judgments with reasoning"):
        drawn_of(run, "judgment")


def test_judgments_are_drawn_one_a_pair_with_reasoning(run):
    items = drawn_of(run, "judgment").items
    assert len({item.pair.key for item in items}) == len(items) > 20
    assert {item.drawn.right for item in items} == {True, False}
    assert all(item.judgment.pair_key == item.pair.key for item in items)
    bare = [judgment_of(item.pair, n, text="[[A]]") for n, item in enumerate(items)]
    replace_records(run.iteration(1) / "judgments.jsonl", bare)
    with pytest.raises(DataError, match="no judgments with reasoning"):
        drawn_of(run, "judgment")


def test_what_was_forgotten_is_left_out(run):
    gone = drawn_of(run, number=8).items[3]
    path = run.pool / "pairs.jsonl"
    kept = [line for line in path.read_text().splitlines(keepends=True) if gone.key not in line]
    path.write_text("".join(kept))
    keys = [item.key for item in drawn_of(run, number=8).items]
    assert gone.key not in keys
    assert len(keys) == 8
