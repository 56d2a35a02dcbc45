"""How sure a judge is of what is wrong, from what it said, whenever sampling stopped."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.audit.certainty import (
    ALWAYS,
    FIGURES,
    FIRST,
    QUESTIONS,
    changes,
    read_held_out,
    read_sampled,
)
from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.judged_file import write_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.sampling.pass_rates import PassRate, mean_rate
from ste_plugin.sampling.stopping_rules import CONSTRUCTED, RULES
from ste_plugin.storage.jsonl import read_records
from tests.helpers.builders import judgment
from tests.helpers.sampled_rounds import CAP, sampled, written

SEVERAL = [rule for rule in RULES if rule != CONSTRUCTED]
"""The rules that may draw more than one sample of a question."""


def figures(folder: Path) -> dict[str, float]:
    sums = read_sampled(folder, 1).sums
    return {name: figure.estimate(sums).figure for name, figure in FIGURES.items()}


@pytest.mark.parametrize("rule", SEVERAL)
def test_pass_rate_and_entropy_do_not_depend_on_when_sampling_stops(tmp_path, rule):
    skills = [0.9, 0.5, 0.2] * 1000
    found = figures(sampled(tmp_path, skills, rule))
    assert found["pass rate"] == pytest.approx(sum(skills) / len(skills), abs=0.03)
    differ = sum(2 * p * (1 - p) for p in skills) / len(skills)
    assert found["entropy of verdicts"] == pytest.approx(differ, abs=0.035)


def test_the_mean_is_that_of_the_file_of_pass_rates_and_not_the_share_of_samples(tmp_path):
    folder = sampled(tmp_path, [0.5] * 400)
    found = figures(folder)["pass rate"]
    rates = read_records(folder / "pass_rates.jsonl", PassRate)
    shares = [rate.correct / rate.samples for rate in rates]
    assert found == mean_rate(rates)["mean"] == pytest.approx(0.5, abs=0.06)
    assert sum(shares) / len(shares) > 0.6


def test_a_judge_that_is_always_wrong_of_some_makes_confident_errors(tmp_path):
    found = figures(sampled(tmp_path, [0.0] * 20 + [1.0] * 80))
    assert found == {"pass rate": 0.8, "entropy of verdicts": 0.0, "confident errors": 0.2}


@pytest.mark.parametrize("rule", SEVERAL)
def test_a_coin_makes_hardly_any_confident_error(tmp_path, rule):
    assert figures(sampled(tmp_path, [0.5] * 500, rule))["confident errors"] < 0.02


def test_samples_of_a_top_up_count_for_nothing(tmp_path):
    few = [judgment("p0", "A", "B", i) for i in range(6)]
    further = [judgment("p0", "A", "A", i) for i in range(6, 20)]
    written(tmp_path / "with", [*few, *further], samples=6)
    written(tmp_path / "without", few, samples=6)
    assert figures(tmp_path / "with") == figures(tmp_path / "without")
    assert figures(tmp_path / "with")["confident errors"] == 1


@pytest.mark.parametrize(("wrong", "is_sure"), [(9, 1), (8, 0)])
def test_sure_is_nine_in_ten_of_the_samples(tmp_path, wrong, is_sure):
    said = ["B"] * wrong + ["A"] * (10 - wrong)
    written(tmp_path, [judgment("p0", "A", v, i) for i, v in enumerate(said)], samples=10)
    assert figures(tmp_path)["confident errors"] == is_sure


def test_no_verdict_is_no_confident_error_but_differs_from_one(tmp_path):
    said = [None, "B", None, None, None, None]
    written(tmp_path, [judgment("p0", "A", v, i) for i, v in enumerate(said)])
    assert figures(tmp_path)["confident errors"] == 0
    assert figures(tmp_path)["entropy of verdicts"] == 1


def test_too_few_samples_to_be_sure_are_told_as_unknown(tmp_path):
    written(tmp_path, [judgment("p0", "A", "B")], samples=1)
    assert figures(tmp_path)["confident errors"] is None
    assert figures(tmp_path)["entropy of verdicts"] is None


def test_the_place_of_the_first_right_sample_is_told_for_every_question(tmp_path):
    right_from = [0, 1, 2, 3, 6, 7, 14, 99]
    said = [
        judgment(f"p{n}", "A", "A" if i >= first else "B", i)
        for n, first in enumerate(right_from)
        for i in range(CAP)
    ]
    total = read_sampled(written(tmp_path, said), 1).sums.total()
    assert total[FIRST:] == [1, 2, 2, 2, 1]
    assert (total[QUESTIONS], total[ALWAYS]) == (8, 1)


def test_errors_that_grow_confident_are_seen_from_round_to_round(tmp_path):
    before = read_sampled(sampled(tmp_path / "a", [0.6] * 300), 1)
    after = read_sampled(sampled(tmp_path / "b", [1.0] * 180 + [0.0] * 120), 2)
    moved = changes(before.sums, after.sums)
    assert moved["confident errors"].interval[0] > 0
    assert moved["entropy of verdicts"].interval[1] < 0
    assert moved["pass rate"].interval[0] < 0 < moved["pass rate"].interval[1]


def test_a_stage_without_judgments_tells_nothing(tmp_path):
    assert read_sampled(tmp_path, 1) is None
    assert read_held_out(tmp_path) is None


def held_out(folder: Path, *orders: OrderVerdict, asked=1) -> dict[str, float] | None:
    pairs = [
        JudgedPair(f"p{n}", "s", f"q{n}", (order,), 9, 5, asked=asked)
        for n, order in enumerate(orders)
    ]
    write_judged(folder, pairs)
    found = read_held_out(folder)
    return found and {name: f.estimate(found.sums).figure for name, f in FIGURES.items()}


def test_where_likelihoods_are_kept_alone_these_say_how_sure_it_is(tmp_path):
    sure, unsure = 3.0, 1.0  # 0.95 and 0.73 for A
    found = held_out(
        tmp_path,
        OrderVerdict("B", "A", log_odds=sure),
        OrderVerdict("B", "A", log_odds=unsure),
        OrderVerdict("A", "A", log_odds=sure),
        OrderVerdict("A", "A", log_odds=-sure),
    )
    assert found["confident errors"] == 0.5
    assert found["pass rate"] == 0.5
    p, q = 1 / (1 + 2.718281828**-3), 1 / (1 + 2.718281828**-1)
    assert found["entropy of verdicts"] == pytest.approx(
        (3 * 2 * p * (1 - p) + 2 * q * (1 - q)) / 4
    )


def test_votes_come_before_likelihoods_and_early_stopping_does_not_count(tmp_path):
    votes = ("B",) * 5 + ("A",) * 4  # of nine, five are always drawn
    found = held_out(tmp_path, OrderVerdict("A", "B", None, votes, log_odds=9.0), asked=9)
    assert (found["confident errors"], found["entropy of verdicts"]) == (1, 0)


def test_one_reply_per_order_says_nothing_of_how_sure_a_judge_is(tmp_path):
    assert held_out(tmp_path, OrderVerdict("A", "A", None, ("A",))) is None


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / "judged.jsonl").write_text('{"id": "p0"}\n')
    with pytest.raises(DataError, match=r"judged.jsonl:1"):
        read_held_out(tmp_path)


VERDICTS = st.lists(st.sampled_from(["A", "B", None]), min_size=1, max_size=CAP)


@settings(max_examples=25)
@given(st.lists(VERDICTS, min_size=1, max_size=8))
def test_every_figure_is_between_zero_and_one_and_each_question_is_counted_once(
    tmp_path_factory, said
):
    folder = tmp_path_factory.mktemp("any")
    rows = [
        judgment(f"p{n}", "A", v, i)
        for n, verdicts in enumerate(said)
        for i, v in enumerate(verdicts)
    ]
    sums = read_sampled(written(folder, rows), 1).sums
    total = sums.total()
    assert total[QUESTIONS] == sum(total[FIRST:]) == len(said)
    assert 0 <= FIGURES["confident errors"].of(total) <= 1
