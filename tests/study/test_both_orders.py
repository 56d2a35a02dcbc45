"""What the comparison of both orders with single ones teaches by, and what its page says."""

import json
import re
from collections import Counter

import pytest

from ste_plugin.storage.dataset_manifest import read_manifest
from study.both_orders import WAYS
from study.both_orders.page import PAGE, write_page
from study.both_orders.promises import promises
from study.both_orders.results import Result
from study.both_orders.tables import compared, promised
from study.both_orders.teaching import write_data
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


def judge(way, seed, margins, name="ours", temperature=1.0):
    return Result(way, seed, name, temperature, margins)


def test_the_table_has_means_over_random_seeds_and_how_many_times_fewer_flips():
    steady = [(f"p{n}", 2.0, -1.0 if n < 5 else 2.0) for n in range(50)]  # 5 of 50 flip
    turning = [(f"p{n}", 2.0, -1.0 if n < 25 else 2.0) for n in range(50)]
    results = [judge(WAYS[0], seed, steady) for seed in range(2)]
    results += [judge(WAYS[1], seed, turning) for seed in range(2)]
    lines = [[c.strip() for c in line.split("|")[1:-1]] for line in compared(results).splitlines()]
    flips = next(cells for cells in lines if cells[2] == "flips")
    assert flips[:5] == ["ours", "50", "flips", "0.100 (0.100 to 0.100)", "0.500 (0.500 to 0.500)"]
    share, low, high = (float(x) for x in re.findall(r"[\d.]+", flips[5])[:3])
    assert share == 0.2
    assert low < 0.2 < high < 1
    accuracy = next(cells for cells in lines if cells[2] == "accuracy")
    assert accuracy[3].startswith("0.950")


def test_a_promise_is_made_where_sure_verdicts_are_right_and_held_against_the_other_half():
    sure = [(f"p{n}", 8.0, 8.0) for n in range(150)]
    unsure = [(f"q{n}", 0.2 * (-1) ** n, 0.2 * (-1) ** n) for n in range(150)]
    found = {k.error: k for k in promises([judge(WAYS[0], 0, [*sure, *unsure])])}
    assert len(found[0.1].realised) == found[0.1].splits
    assert max(found[0.1].realised) == 0
    assert 0.35 < min(found[0.1].answered) < max(found[0.1].answered) < 0.65
    assert promised(list(found.values())).splitlines()[2].split("|")[4].strip() == "100"


def test_a_judge_that_is_surely_wrong_gets_no_promise():
    wrong = [(f"p{n}", -8.0, -8.0) for n in range(200)]
    assert not any(kept.realised for kept in promises([judge(WAYS[0], 0, wrong)]))


def test_the_page_has_the_tables_of_all_judges_that_were_taught_alike(tmp_path):
    margins = [[f"p{n}", 2.0, -1.0 if n < 5 else 2.0] for n in range(50)]
    size = {"model": "small", "kind": "made", "pairs": 9, "epochs": 1.5, "measured": 50}
    size["data_set"] = "d1"
    rows = [
        {"way": way, "seed": seed, "set": "ours", "temperature": 1.0, "margins": margins} | size
        for way in WAYS
        for seed in range(2)
    ]
    rows.append(rows[0] | {"pairs": 10})
    results, page = tmp_path / "results.jsonl", tmp_path / "page.md"
    results.write_text("".join(json.dumps(row) + "\n" for row in rows))
    marks = [f"<!-- study: {name} -->\nold\n<!-- end -->\n" for name in ("both ways", "promises")]
    page.write_text("By hand.\n" + "\n".join(marks))
    write_page(page, results)
    written = page.read_text()
    assert written.startswith("By hand.") and "old" not in written
    assert "| ours | 50 | flips | 0.100 (0.100 to 0.100) | 0.100 (0.100 to 0.100) | 1.00" in written
    for pairs, seeds in ((9, 2), (10, 1)):
        taught = f"{pairs} pairs to learn from (made), 1.5 epochs of both orders"
        assert f"**small, {taught}; random seeds: {seeds}**" in written
    with pytest.raises(ValueError, match="found 0 blocks"):
        write_page(results, results)


def test_the_page_says_what_the_kept_results_say(tmp_path):
    again = tmp_path / "page.md"
    again.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_page(again)
    assert again.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
