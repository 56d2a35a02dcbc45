"""Pointwise judgments: a sample of a pair is a rating of each answer, and its rows are both."""

from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.dataset.filters import RATED_ALONE
from ste_plugin.errors import ConfigError, JudgeError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.records import Judgment, ResponsePair
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.sampling.ratings import NOT_BESIDE
from ste_plugin.storage.jsonl import read_records
from tests.helpers.fake_runs import SPLITS, generated, rows_of, written

RATING = FORMATS["rating"]


def made(folder: Path, tiny_model: Path, judges: object = "well", **more: object) -> Path:
    folder.mkdir(exist_ok=True)
    judging = {
        "format": "rating",
        "samples": 8,
        "sampling": "until_correct",
        **more.pop("judging", {}),
    }
    return written(folder, tiny_model, judges=judges, judging=judging, **more)


def records(path: Path, name: str, kind: type) -> list:
    return read_records(path.parent / "run" / name, kind)


def judgments(path: Path) -> list[Judgment]:
    return records(path, "iter-01/judgments.jsonl", Judgment)


def score(row: dict) -> int:
    return RATING.parse(row["messages"][-1]["content"])


def test_a_pair_that_is_judged_rightly_becomes_two_rows_of_an_answer_and_its_rating_each(
    tiny_model, tmp_path
):
    path = made(tmp_path, tiny_model)
    counts = generated(path)["counts"]
    pairs = {p.key: p for p in records(path, "pool/pairs.jsonl", ResponsePair)}
    rows = rows_of(path, "sft-train")
    assert counts["kept"]["train"] == len(rows) > 20
    for key, both in groupby(rows, key=lambda row: row["pair"]):
        better, worse = both
        shown = pairs[key]
        for row, text, hidden in (
            (better, shown.better, shown.worse),
            (worse, shown.worse, shown.better),
        ):
            asked, said = row["messages"]
            assert asked["content"].endswith(
                f"[Instruction]\n{shown.instruction}\n\n[Answer]\n{text}"
            )
            assert hidden not in asked["content"]
            assert said["role"] == "assistant"
        assert score(better) > score(worse)


def test_a_sample_of_a_pair_costs_one_rating_of_each_answer(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model)
    counts, sampled = generated(path)["counts"], judgments(path)
    assert {j.sample_index for j in sampled} == {0}
    assert counts["judgments"] == counts["correct"] == len(sampled)
    assert len(sampled) == 2 * len({j.pair_key for j in sampled})


def test_both_answers_of_a_pair_have_the_same_outcomes_whatever_the_judge_says(
    tiny_model, tmp_path
):
    path = made(tmp_path, tiny_model, 0.3)
    generated(path)
    rates = records(path, "iter-01/pass_rates.jsonl", PassRate)
    by_pair = {}
    for rate in rates:
        by_pair.setdefault(rate.pair_key, []).append((rate.samples, rate.correct))
    assert all(len(found) == 2 and found[0] == found[1] for found in by_pair.values())
    assert {found[0][0] for found in by_pair.values()} > {1}


@pytest.mark.parametrize("rule", ["until_correct", "until_both", "until_decided", "fixed"])
def test_the_rows_of_a_pair_are_right_beside_each_other_under_every_rule(
    tiny_model, tmp_path, rule
):
    path = made(tmp_path, tiny_model, 0.3, judging={"sampling": rule})
    generated(path)
    rows = rows_of(path, "sft-train")
    assert [row["better_is"] for row in rows] == ["A", "B"] * (len(rows) // 2)
    assert all(score(a) > score(b) for a, b in zip(rows[::2], rows[1::2], strict=True))


def test_a_preferred_rating_of_an_answer_is_on_the_better_side_of_the_rejected_one(
    tiny_model, tmp_path
):
    path = made(
        tmp_path, tiny_model, 0.3, training={"recipe": "dpo-lora-8b"}, judging={"sampling": None}
    )
    assert generated(path)["settings"]["judging"]["sampling"] == "until_both"
    rows = rows_of(path, "dpo-train")
    assert len(rows) > 10
    for row in rows:
        chosen, rejected = (RATING.parse(row[name]["content"]) for name in ("chosen", "rejected"))
        assert chosen > rejected if row["better_is"] == "A" else chosen < rejected


def test_a_rating_that_is_dropped_leaves_the_other_without_a_verdict(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, 0.3, judging={"samples": 4})
    hooks = path.parent / "hooks.py"
    hooks.write_text(
        hooks.read_text()
        + "\n\n@hookimpl\ndef ste_drop_judgment(judgment, pair):\n"
        + "    wrong = judgment.gold == 'A' and 'sample 0' in judgment.text\n"
        + "    return 'an odd one' if wrong else None\n"
    )
    drops = generated(path)["drops"]
    assert drops["judging: an odd one"] > 10
    first = [j for j in judgments(path) if j.sample_index == 0]
    assert {j.verdict for j in first if j.gold == "B"} == {None}
    assert all(
        "sample 0" not in row["messages"][-1]["content"] for row in rows_of(path, "sft-train")
    )


@pytest.mark.parametrize("judges", ["never", "out of range", "all alike", "silent on good ones"])
def test_a_judge_that_rates_no_answer_above_another_is_told_what_is_expected(
    tiny_model, tmp_path, judges
):
    with pytest.raises(JudgeError) as error:
        generated(made(tmp_path, tiny_model, judges))
    told = "'rating'; expected [[0]] to [[9]], and not the same for both answers of every pair"
    assert told in str(error.value)
    assert "gave no pair's two answers different scores" in str(error.value)


def test_a_score_is_forced_where_none_is_stated(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, "never", judging={"force_verdict": True})
    counts = generated(path)["counts"]
    assert counts["forced"] == counts["judgments"] > 0
    rows = rows_of(path, "sft-train")
    assert all(
        row["messages"][-1]["content"].startswith("Hard to say.\n\nFinal rating: [[")
        for row in rows
    )
    assert all(score(a) > score(b) for a, b in zip(rows[::2], rows[1::2], strict=True))


def test_a_row_that_is_too_long_takes_that_of_the_other_answer_with_it(tiny_model, tmp_path):
    dataset = {**SPLITS, "sequence_len": 1200}
    path = made(tmp_path, tiny_model, "wordy at times", dataset=dataset)
    drops = generated(path)["drops"]
    too_long = drops["dataset: longer than sequence_len 1200"]
    assert too_long == drops[f"dataset: {RATED_ALONE}"] > 5
    rows = rows_of(path, "sft-train")
    assert [row["better_is"] for row in rows] == ["A", "B"] * (len(rows) // 2) != []


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        ({"verdict_share": 0.5}, "dataset.verdict_share: found 0.5 with judging.format rating"),
        ({"keep": "shortest"}, "dataset.keep: found 'shortest' with judging.format rating"),
    ],
)
def test_settings_that_compare_both_answers_are_refused_before_a_token_is_paid_for(
    tiny_model, tmp_path, dataset, told
):
    path = made(tmp_path, tiny_model, judging={"sampling": "fixed"}, dataset={**SPLITS, **dataset})
    with pytest.raises(ConfigError) as error, open_run(path, [], quiet=True) as context:
        stages.generate(context, 1)
    assert str(error.value).startswith(told)


def test_a_score_that_no_other_one_differs_from_is_told_apart_from_a_reply_without_one(
    tiny_model, tmp_path
):
    path = made(tmp_path, tiny_model, "no score at first", judging={"samples": 4})
    drops = generated(path)["drops"]
    assert drops["judging: no verdict"] == drops["judging: " + NOT_BESIDE] > 10


def test_a_prompt_to_be_rewarded_stands_beside_that_of_the_other_answer(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, 0.3, training={"recipe": "grpo-lora-8b"})
    generated(path)
    rows = rows_of(path, "grpo-train")
    assert [row["better_is"] for row in rows] == ["A", "B"] * (len(rows) // 2)
    assert all(a["pair"] == b["pair"] for a, b in zip(rows[::2], rows[1::2], strict=True))
    assert {row["judge_format"] for row in rows} == {"rating"}


SAID = st.one_of(st.none(), st.floats(0, 9), st.integers(0, 9))


@given(SAID, SAID)
def test_the_two_prompts_of_a_pair_never_contradict_each_other(own, other):
    found = {RATING.decide(own, other), RATING.decide(other, own)}
    assert found in ({"A", "B"}, {"tie"}, {None})
