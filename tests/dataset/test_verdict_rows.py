"""A share of the training rows asks for the letter alone; all else of a data set stays as it is."""

from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.config import ModelConfig
from ste_plugin.dataset.filters import balance_letters
from ste_plugin.dataset.token_counts import count_tokens
from ste_plugin.dataset.verdict_rows import as_verdict, draw_tasks
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.records import ORDERS, ResponsePair
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.storage.jsonl import read_json, read_records, read_rows
from tests.helpers.builders import judgment, kept, pair
from tests.helpers.fake_runs import ALL_ROWS, SPLITS, generated, rows_of, written
from tests.helpers.forgetting import forgotten

VERDICT = FORMATS["verdict"]


def mixed(folder, tiny_model, share, judges="well", **dataset):
    folder.mkdir(exist_ok=True)
    wanted = {**SPLITS, "verdict_share": share, **dataset}
    return written(folder, tiny_model, judges=judges, dataset=wanted)


def split_rows(path):
    """(reasoning rows, verdict rows) of a run's training data."""
    rows = rows_of(path, "sft-train")
    alone = [row for row in rows if row["judge_format"] == "verdict"]
    return [row for row in rows if row not in alone], alone


def prompt_of(row):
    return row["pair"], row["better_is"]


def test_a_verdict_row_shows_a_pair_in_the_format_verdict_and_replies_with_the_right_letter(
    tiny_model, tmp_path
):
    path = mixed(tmp_path, tiny_model, 0.5)
    assert generated(path)["verdict_format"] == {"name": "verdict", "version": VERDICT.version}
    pairs = {p.key: p for p in read_records(tmp_path / "run/pool/pairs.jsonl", ResponsePair)}
    _, alone = split_rows(path)
    assert len(alone) > 10
    for row in alone:
        shown, gold = pairs[row["pair"]], row["better_is"]
        (turn,) = VERDICT.render_pair(shown.instruction, shown.better, shown.worse, gold)
        asked, said = row["messages"]
        assert asked == {"role": "user", "content": turn.content}
        assert said == {"role": "assistant", "content": f"[[{gold}]]"}
        assert row["instruction"] == shown.instruction_key


@pytest.mark.parametrize("judges", ["well", 0.5])
def test_at_one_half_each_reasoning_row_has_a_verdict_row_and_no_other_pair_has_one(
    tiny_model, tmp_path, judges
):
    path = mixed(tmp_path, tiny_model, 0.5, judges)
    counts = generated(path)["counts"]
    reasoning, alone = split_rows(path)
    assert counts["verdict_rows"] == len(alone) == len(reasoning) == counts["kept"]["train"] > 4
    assert sorted(map(prompt_of, alone)) == sorted(map(prompt_of, reasoning))


def test_the_share_is_met_and_both_letters_are_right_as_often(tiny_model, tmp_path):
    path = mixed(tmp_path, tiny_model, 0.25, 0.5)
    counts = generated(path)["counts"]
    reasoning, alone = split_rows(path)
    assert counts["verdict_rows"] == len(alone)
    assert abs(len(alone) - len(reasoning) / 3) <= 1
    letters = Counter(row["better_is"] for row in alone)
    assert letters["A"] == letters["B"] > 0


def test_the_two_orders_of_a_pair_are_side_by_side_in_both_kinds_of_rows(tiny_model, tmp_path):
    path = mixed(tmp_path, tiny_model, 0.4)
    generated(path)
    rows = rows_of(path, "sft-train")
    found = {
        tuple((row["judge_format"], row["better_is"]) for row in own)
        for _, own in groupby(rows, key=lambda row: row["pair"])
    }
    plain = tuple(("brief", order) for order in ORDERS)
    assert found == {plain, (*plain, *(("verdict", order) for order in ORDERS))}


def test_all_else_of_the_data_set_is_as_it_is_without_them(tiny_model, tmp_path):
    with_them = mixed(tmp_path / "with", tiny_model, 0.5, 0.5, formats=ALL_ROWS["formats"])
    without = mixed(tmp_path / "without", tiny_model, 0, 0.5, formats=ALL_ROWS["formats"])
    found, expected = generated(with_them), generated(without)
    files, before = found["files"], expected["files"]
    assert {name for name in before if files[name] != before[name]} == {"sft-train"}
    reasoning, _ = split_rows(with_them)
    assert [
        {name: value for name, value in row.items() if name != "judge_format"} for row in reasoning
    ] == rows_of(without, "sft-train")
    assert {row["judge_format"] for row in reasoning} == {"brief"}
    assert found["judge_format"] == expected["judge_format"]
    assert found["counts"] == expected["counts"] | {
        "verdict_rows": expected["counts"]["kept"]["train"]
    }
    assert "verdict_format" not in expected


def test_a_verdict_row_of_a_judge_that_thinks_holds_no_thought(tiny_model, tmp_path):
    path = mixed(tmp_path, tiny_model, 0.5, "thinks")
    generated(path)
    reasoning, alone = split_rows(path)
    assert all("think" in row["messages"][-1]["content"] for row in reasoning)
    assert {row["messages"][-1]["content"] for row in alone} == {"[[A]]", "[[B]]"}


def test_a_prompt_is_as_long_as_its_longest_row_though_that_asks_for_the_letter_alone(tiny_model):
    terse = JudgeFormat("terse", "?", "[[", reasons=True, max_new_tokens=8)
    (reasoned,) = kept([pair()], [judgment()], terse)
    model, alone = ModelConfig(model=str(tiny_model)), as_verdict(reasoned)
    lengths = count_tokens(model, Path(), [(reasoned,), (alone,), (reasoned, alone)])
    short, long, both = lengths
    assert short < long == both


def test_forgetting_an_instruction_takes_its_verdict_rows_out_and_counts_the_others(
    tiny_model, tmp_path
):
    path = mixed(tmp_path, tiny_model, 0.5)
    before = generated(path)["counts"]
    key = split_rows(path)[1][0]["instruction"]
    forgotten(tmp_path / "run", key=key)
    counts = read_json(tmp_path / "run/iter-01/dataset/manifest.json")["counts"]
    reasoning, alone = split_rows(path)
    assert key not in {row["instruction"] for row in (*reasoning, *alone)}
    assert counts["verdict_rows"] == len(alone) == len(reasoning) < before["verdict_rows"]
    (file,) = (tmp_path / "run/iter-01/dataset").glob("sft-train-*.jsonl")
    assert len(list(read_rows(file))) == len(alone) + len(reasoning)


BALANCED = st.lists(st.sampled_from(["both", "A", "B"]), max_size=40)


@given(BALANCED, st.floats(0.01, 0.5), st.integers(0, 9))
def test_what_is_drawn_is_the_share_in_even_letters_and_whole_pairs(kept, share, seed):
    pairs = [pair(key=f"p{n}") for n in range(len(kept))]
    tasks, _ = balance_letters(
        [
            JudgeTask(pairs, n, pairs[n].key, order)
            for n, orders in enumerate(kept)
            for order in ORDERS
            if orders in ("both", order)
        ]
    )
    drawn = [task for task in tasks if task.key in draw_tasks(tasks, share, seed)]
    letters = Counter(task.gold for task in drawn)
    assert letters["A"] == letters["B"]
    assert abs(len(drawn) - share * (len(tasks) + len(drawn))) <= 1 + 1e-9
    orders, learnt = (Counter(task.pair_key for task in some) for some in (drawn, tasks))
    assert all(orders[key] == learnt[key] for key in orders)
