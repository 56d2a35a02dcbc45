"""Pairs matched by length: the better answer is longer as often as shorter, and by as much."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.shortcuts.area import area_of
from ste_plugin.dataset.filters import balance_letters
from ste_plugin.dataset.matching import (
    balance_letters_and_lengths,
    balance_of,
    counterparts,
    log_ratio,
    match_lengths,
)
from ste_plugin.errors import JudgeError
from ste_plugin.records import ORDERS
from ste_plugin.sampling.judge_task import JudgeTask
from tests.helpers.builders import config, pair
from tests.helpers.fake_runs import generated, rows_of, written
from tests.helpers.planted_pairs import longer, planted

RATIOS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.integers(-20, 20).map(lambda n: n / 10),
    max_size=40,
)
LEANING = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.integers(0, 60),
        st.sampled_from(["both", "A", "B"]),
        st.sampled_from(["easy", "hard"]),
    ),
    max_size=60,
)


def tasks_of(drawn) -> list[JudgeTask]:
    """Tasks of pairs with answers of these lengths, right in both orders or in one."""
    pairs = [
        pair(key=f"p{n}", better="b" * long, worse="w" * short, strategy=strategy)
        for n, (long, short, _, strategy) in enumerate(drawn)
    ]
    return [
        JudgeTask(pairs, n, pairs[n].key, order, pairs[n].strategy)
        for n, (_, _, kept, _) in enumerate(drawn)
        for order in ORDERS
        if kept in ("both", order)
    ]


def leaning(tasks) -> Counter:
    """(strategy, longer or shorter) → rows."""
    signs = [(t.strategy, float(np.sign(log_ratio(t.pair)))) for t in tasks]
    return Counter(sign for sign in signs if sign[1])


def is_even(tasks) -> bool:
    counts = leaning(tasks)
    return all(counts[name, 1.0] == counts[name, -1.0] for name in ("easy", "hard"))


@given(RATIOS, st.integers(0, 3))
def test_as_many_of_those_kept_lean_one_way_as_the_other(ratios, seed):
    kept = list(counterparts(ratios, seed))
    assert len(kept) == len(set(kept))
    assert sum(ratios[key] > 0 for key in kept) == sum(ratios[key] < 0 for key in kept)


@given(RATIOS, st.integers(0, 3))
def test_pairs_of_equal_lengths_are_kept(ratios, seed):
    assert {key for key, ratio in ratios.items() if not ratio} <= set(counterparts(ratios, seed))


@given(RATIOS, st.integers(0, 3))
def test_what_is_matched_once_stays_whole(ratios, seed):
    kept = set(counterparts(ratios, seed))
    assert set(counterparts({key: ratios[key] for key in kept}, seed)) == kept


@given(st.lists(st.floats(0.01, 3), max_size=30), st.integers(0, 3))
def test_pairs_with_a_mirror_image_each_are_all_kept(ratios, seed):
    mirrored = {f"{side}{n}": side * r for n, r in enumerate(ratios) for side in (1, -1)}
    assert set(counterparts(mirrored, seed)) == set(mirrored)


def test_a_much_longer_answer_is_no_counterpart_of_one_a_little_shorter():
    assert list(counterparts({"a": 2.0, "b": -0.1}, 0)) == []
    assert set(counterparts({"a": 0.3, "b": -0.1}, 0)) == {"a", "b"}


def test_of_equal_ratios_the_seed_decides_which_stay():
    ratios = {f"longer{n}": 0.5 for n in range(10)} | {f"shorter{n}": -0.5 for n in range(5)}
    kept = {frozenset(counterparts(ratios, seed)) for seed in range(5)}
    assert len(kept) > 1
    assert all(len(keys) == 10 for keys in kept)


@given(LEANING, st.integers(0, 3))
def test_rows_are_even_in_lengths_per_strategy_and_in_letters_and_none_is_lost_uncounted(
    drawn, seed
):
    tasks = tasks_of(drawn)
    kept, drops = balance_letters_and_lengths(tasks, seed)
    assert is_even(kept)
    assert Counter(t.gold for t in kept)["A"] * 2 == len(kept)
    assert sorted([t.key for t in kept] + [drop.key for drop in drops]) == sorted(
        t.key for t in tasks
    )


@given(LEANING, st.integers(0, 3))
def test_both_orders_of_a_pair_stay_together(drawn, seed):
    tasks = tasks_of(drawn)
    kept, _ = match_lengths(tasks, {t.pair_key: log_ratio(t.pair) for t in tasks}, seed)
    before, after = (Counter(t.pair_key for t in some) for some in (tasks, kept))
    assert all(before[key] == count for key, count in after.items())


@pytest.mark.parametrize("share", [0.6, 0.8, 0.95])
def test_after_matching_length_tells_nothing(share):
    """And it costs what the lean costs: twice the smaller side is what can be kept."""
    pairs = planted(longer(share), count=600)
    ratios = {p.key: log_ratio(p) for p in pairs}
    kept = list(counterparts(ratios, 1))
    scores = np.array([ratios[key] for key in kept])
    area = area_of(scores, np.arange(len(kept)), are_fitted=False)
    assert area.interval[0] <= 0.5 <= area.interval[1]
    fewer = min(sum(r > 0 for r in ratios.values()), sum(r < 0 for r in ratios.values()))
    assert len(kept) > 0.9 * 2 * fewer


def test_only_training_pairs_are_matched_and_only_where_the_config_says_so(tmp_path):
    matched = config(tmp_path, dataset="{match: [length]}")
    assert balance_of(matched, "dev") is balance_letters
    assert balance_of(config(tmp_path), "train") is balance_letters
    kept, _ = balance_of(matched, "train")(tasks_of([(2, 1, "both", "easy")]))
    assert kept == []


def test_a_data_set_is_matched_and_says_what_that_cost(tiny_model, tmp_path):
    """In every row format, preferences too, which only some tasks make."""
    dataset = {"dev_fraction": 0.2, "test_fraction": 0.2, "match": ["length"]}
    path = written(
        tmp_path,
        tiny_model,
        judges=0.6,
        texts=150,
        dataset=dataset | {"formats": ["sft", "dpo"]},
        pairs={"strategies": ["other-instruction"]},
    )
    manifest = generated(path)
    lengths = lengths_of_pairs(path)
    for name in ("sft-train", "dpo-train"):
        signs = Counter(np.sign(lengths[row["pair"]]) for row in rows_of(path, name))
        assert signs[1.0] == signs[-1.0] > 0
        letters = Counter(row["better_is"] for row in rows_of(path, name))
        assert letters["A"] == letters["B"]
    assert manifest["settings"]["dataset"]["match"] == ["length"]
    dropped = {reason for reason in manifest["drops"] if "better answers" in reason}
    assert dropped & {
        "dataset: surplus of longer better answers",
        "dataset: surplus of shorter better answers",
    }


def lengths_of_pairs(path) -> dict[str, float]:
    lines = (path.parent / "run/pool/pairs.jsonl").read_text().splitlines()
    return {row["key"]: len(row["better"]) - len(row["worse"]) for row in map(json.loads, lines)}


def test_where_all_pairs_lean_one_way_the_error_says_that_matching_leaves_none(
    tiny_model, tmp_path
):
    path = written(
        tmp_path,
        tiny_model,
        dataset={"dev_fraction": 0.2, "test_fraction": 0.2, "match": ["length"]},
        pairs={"strategies": ["modified-instruction-two-calls"]},
    )
    with pytest.raises(JudgeError, match="dataset.match leaves none: all pairs lean one way"):
        generated(path)


def test_pairs_that_are_dressed_up_on_purpose_are_all_kept():
    tasks = tasks_of([(10, 30, "both", "padded-worse")] * 3)
    assert balance_letters_and_lengths(tasks, 0) == (tasks, [])


def test_a_pair_counts_with_the_orders_that_it_was_kept_in():
    """Two longer rows of one pair are not made up for by one shorter row."""
    tasks = tasks_of([(20, 10, "both", "easy"), (10, 20, "A", "easy")])
    kept, drops = balance_letters_and_lengths(tasks, 0)
    assert kept == []
    assert {drop.reason for drop in drops} == {
        "surplus of longer better answers",
        "surplus of shorter better answers",
    }
