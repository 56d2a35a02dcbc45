"""Which judge of a run is meant, in words."""

import json

import pytest

from ste_plugin.evaluation.shipped import judge_in_words, number_in_words


def finished(folder, best, *broken):
    reports = [{"number": i, "broken": list(words)} for i, words in enumerate(broken)]
    (folder / "run.yaml").touch()
    (folder / "report.json").write_text(json.dumps({"best": best, "iterations": reports}))
    return folder


@pytest.mark.parametrize(
    ("best", "broken", "told"),
    [
        (2, ("", "", ""), "iteration 2, which the run ships"),
        (0, ("", "", ""), "the seed, which the run ships, as no iteration was better"),
        (0, ("", "x", "x"), "the seed, which the run ships, as no iteration passed its gates"),
        (0, ("", "x", ""), "the seed, which the run ships, as no iteration was better"),
    ],
)
def test_of_a_run_it_is_the_judge_that_it_ships(tmp_path, best, broken, told):
    assert judge_in_words(finished(tmp_path, best, *broken)) == told


def test_of_an_iteration_it_says_where_another_is_shipped(tmp_path):
    run = finished(tmp_path, 2, "", "", "")
    assert judge_in_words(run / "iter-01") == "iteration 1 (the run ships iteration 2)"
    assert judge_in_words(run / "iter-00") == "the seed (the run ships iteration 2)"
    assert judge_in_words(run / "iter-02") == "iteration 2, which the run ships"


def test_of_an_unfinished_run_nothing_is_shipped_and_elsewhere_nothing_is_known(tmp_path):
    (tmp_path / "run.yaml").touch()
    assert judge_in_words(tmp_path / "iter-01") == "iteration 1 (the run is not finished)"
    assert number_in_words(tmp_path, None) == judge_in_words(tmp_path) == ""
    assert judge_in_words(tmp_path / "evaluations") == ""
