"""A group of tasks and a folder of data that has some of its benchmarks, or some of their rows."""

import logging

import pytest

from ste_plugin.errors import DataError
from tests.helpers.benchmark_rows import SMALL, rewardbench, written
from tests.helpers.known_judges import evaluated, judge
from tests.helpers.published_sets import publish

LEFT_OUT = "is left out. {}: expected {}.jsonl"


@pytest.fixture
def logged(caplog):
    with caplog.at_level(logging.WARNING, logger="ste_plugin"):
        yield caplog


@pytest.fixture
def folder(tmp_path):
    """RewardBench and JudgeBench alone."""
    written(tmp_path / "rewardbench.jsonl", rewardbench())
    publish(tmp_path / "JudgeBench", "judgebench", each=2)
    return tmp_path


@pytest.mark.parametrize("group", ["ste_judge", "ste_judge_fast"])
def test_a_group_runs_the_benchmarks_that_are_there_and_names_the_others(folder, logged, group):
    found = evaluated(judge("perfect"), folder, [group])
    there = {task for task, metrics in found.items() if "acc" in metrics}
    ending = "_logprob" if group == "ste_judge_fast" else ""
    assert there == {f"ste_rewardbench{ending}", f"ste_judgebench{ending}"}
    for name in ("llmbar", "mtbench_human", "helpsteer2", "rmbench"):
        assert f"ste_{name}{ending} {LEFT_OUT.format(folder, name)}" in logged.text
        assert {k for k in found[f"ste_{name}{ending}"] if "acc" in k or "final" in k} == set()


def test_figures_of_those_that_are_there_are_the_same_as_alone(folder):
    in_group = evaluated(judge("random"), folder, ["ste_judge"])["ste_judgebench"]
    alone = evaluated(judge("random"), folder, ["ste_judgebench"])["ste_judgebench"]
    assert in_group == alone


def test_a_single_task_whose_benchmark_is_not_there_is_an_error(folder):
    evaluated(judge("perfect"), folder, ["ste_rewardbench"])  # another evaluation is no excuse
    model = judge("perfect")
    with pytest.raises(DataError, match=r"expected rmbench.jsonl .* found neither"):
        evaluated(model, folder, ["ste_rmbench"])
    assert model.asked == []


def test_a_group_of_which_nothing_is_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"expected \w+.jsonl .* found neither"):
        evaluated(judge("perfect"), tmp_path, ["ste_judge"])


def test_a_benchmark_that_is_there_with_a_fault_is_no_absent_one(folder):
    written(folder / "rmbench.jsonl", [{"id": 1}])
    with pytest.raises(DataError, match=r"rmbench.jsonl:1: no column"):
        evaluated(judge("perfect"), folder, ["ste_judge"])


def test_a_section_without_rows_is_told_with_those_that_have_some(tmp_path):
    chat = [row for row in rewardbench() if row["subset"].startswith(("alpaca", "mt-bench-h"))]
    written(tmp_path / "rewardbench.jsonl", chat)
    with pytest.raises(DataError, match=r"no pair of the section 'Safety' in it; found Chat, Chat"):
        evaluated(judge("perfect"), tmp_path, ["ste_rewardbench_safety"])


@pytest.mark.parametrize("limit", ["limit", "lm_evals_limit"])
def test_a_limit_says_what_it_leaves_of_each_subset(tmp_path, logged, limit):
    publish(tmp_path / "LLMBar", "llmbar", each=3)
    evaluated(judge("perfect"), tmp_path, ["ste_llmbar"], **{limit: 4})
    told = [r.getMessage() for r in logged.records if "limit of 4" in r.getMessage()]
    assert len(told) == 1
    # files come by their place: Adversarial/GPTInst, GPTOut, Manual, Neighbor, Natural
    assert told[0].endswith("only: GPTOut 1 of 3, Manual 0 of 3, Neighbor 0 of 3, Natural 0 of 3")


@pytest.mark.parametrize("limit", [None, 15])
def test_a_limit_that_leaves_out_nothing_says_nothing(tmp_path, logged, limit):
    publish(tmp_path / "LLMBar", "llmbar", each=3)
    evaluated(judge("perfect"), tmp_path, ["ste_llmbar"], lm_evals_limit=limit)
    assert "the limit of" not in logged.text


def test_of_rmbench_without_mathematics_the_final_score_is_empty(tmp_path):
    rows = [row for row in SMALL["rmbench"]() if row["domain"] != "math"]
    written(tmp_path / "rmbench.jsonl", rows)
    metrics = evaluated(judge("perfect"), tmp_path, ["ste_rmbench"])["ste_rmbench"]
    assert (metrics["final"], metrics["acc_section/Math"], metrics["authors/Math"]) == (None,) * 3
    assert (metrics["authors/hard"], metrics["authors/Code"]) == (None, 1)
