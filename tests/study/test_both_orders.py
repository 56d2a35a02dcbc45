"""What the comparison of both orders with single ones teaches by."""

from collections import Counter

import pytest

from ste_plugin.storage.dataset_manifest import read_manifest
from study.both_orders import CONSTRUCTED, WAYS, table, write_data
from tests.helpers.manifests import written


def rows_of(manifest) -> list[tuple[str, str]]:
    return [(row["pair"], row["better_is"]) for _, row in manifest.rows("sft-train")]


@pytest.mark.parametrize("seed", [0, 1])
def test_both_ways_learn_the_same_pairs_one_in_both_orders_and_one_in_one(tmp_path, seed):
    source = read_manifest(written(tmp_path / "source", train=12))
    both, single = (rows_of(write_data(source, w, seed, 8, tmp_path / w)) for w in WAYS)
    assert len(both) == 16
    assert len(single) == 8
    assert {pair for pair, _ in both} == {pair for pair, _ in single}
    assert Counter(letter for _, letter in single) == {"A": 4, "B": 4}
    assert set(single) < set(both)
    other = read_manifest(tmp_path / "single-orders" / "manifest.json")
    assert other.count("judge-test") == source.count("judge-test")
    other.verify("sft-train", "judge-dev")


def test_the_table_has_the_mean_over_random_seeds():
    figures = ("acc", "acc_pc", "flip_rate", "brier", "ece")
    rows = [
        {"set": CONSTRUCTED, "way": WAYS[0], **{f"judge_{name}": value for name in figures}}
        for value in (0.25, 0.75)
    ]
    line = table(rows).splitlines()[1]
    assert line.split() == [CONSTRUCTED, WAYS[0], "2", *["0.500"] * 5]
