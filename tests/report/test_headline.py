"""The finding above all sections: who is best, by how much, and whether that is more than noise."""

import shutil

import pytest

from ste_plugin.evaluation.compare import compare
from ste_plugin.evaluation.gain import gain_of
from ste_plugin.report.headline import make_headline
from ste_plugin.report.read_run import read_run
from ste_plugin.storage.jsonl import read_json, replace_json
from tests.helpers.measured_runs import measured_run


def told(root) -> tuple[str, str]:
    headline = make_headline(read_run(root))
    return headline.title, " ".join(p.text for p in headline.paragraphs)


def test_a_gain_beyond_noise_is_told_with_its_test(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.95))
    title, words = told(root)
    share = read_json(root / "iter-01/eval/test/results.json")["overall"]["acc_pc"]
    before = read_json(root / "iter-00/eval/test/results.json")["overall"]["acc_pc"]
    assert title == (
        f"Iteration 1 is the best: right in both orders on {share:.1%} of the test pairs, the seed "
        f"on {before:.1%}."
    )
    found = compare(root / "iter-00", root / "iter-01")[0]["test"]
    assert words.startswith(
        "More than noise: iteration 1 is right in both orders more often than the seed. Of 80 "
        f"pairs iteration 1 gets {found.won} right that the seed does not, and loses {found.lost}: "
        f"+{found.acc_pc.difference:.3f}, 95% interval "
    )


def test_an_iteration_is_not_called_the_seed_where_that_was_not_measured(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.95))
    shutil.rmtree(root / "iter-00/eval")
    headline = make_headline(read_run(root))
    assert "seed" not in headline.title
    assert headline.tiles[0].below.endswith("seed –")


def test_a_difference_within_noise_is_not_sold_as_a_gain(tmp_path):
    _, words = told(measured_run(tmp_path, skills=(0.6, 0.62), sets={"dev": 12, "test": 14}))
    assert words.startswith(
        "No more than noise: 14 pairs do not tell the seed and iteration 1 apart."
    )


@pytest.mark.parametrize("skill", [0.6, 0.65, 0.7, 0.75, 0.8])
def test_a_gain_is_called_what_ste_run_calls_it_whatever_the_number_of_sets(tmp_path, skill):
    root = measured_run(tmp_path, (0.5, skill), sets={"dev": 12, "test": 40, "mine": 40})
    on_test = gain_of(root, best=1, last=1).comparisons["test"]
    assert "after Holm's correction over 2 sets" in on_test.sentence("the seed", "iteration 1")
    assert told(root)[1].startswith(on_test.sentence("the seed", "iteration 1"))


def test_a_judge_that_got_worse_on_the_test_pairs_is_called_worse(tmp_path):
    _, words = told(measured_run(tmp_path, skills=(0.95, 0.4)))
    assert words.startswith("More than noise: the seed is right in both orders more often than ")


def test_where_the_seed_stays_best_that_is_the_headline(tmp_path):
    title, words = told(measured_run(tmp_path, skills=(0.8, 0.7), best=0))
    assert title.startswith("The seed is kept: right in both orders on ")
    assert "No iteration beat the seed on the dev pairs" in words


def test_a_seed_that_is_kept_against_the_test_pairs_is_told(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.55, 0.95), best=0)
    _, words = told(root)
    assert (
        "The test pairs choose nothing. More than noise: iteration 2 is right in both orders more "
        "often than the seed." in words
    )
    assert "Are 60 dev pairs enough to choose by" in words


def test_where_the_seed_stays_best_the_last_iteration_is_held_against_it_on_the_test_pairs(
    tmp_path,
):
    _, words = told(
        measured_run(tmp_path, skills=(0.6, 0.62), sets={"dev": 12, "test": 14}, best=0)
    )
    assert "The test pairs choose nothing. No more than noise" in words
    assert "enough to choose by" not in words


def test_tokens_are_of_the_iterations_whose_time_is_told_finished_or_not(tmp_path):
    def tokens() -> str:
        return make_headline(read_run(root)).tiles[-1].below

    root = measured_run(tmp_path, skills=(0.5, 0.9), iterations=3, best=None)
    (root / "iter-01/done.json").unlink(missing_ok=True)
    manifest = root / "iter-01/dataset/manifest.json"
    manifest.parent.mkdir(exist_ok=True)
    before = read_json(manifest) if manifest.exists() else {}
    replace_json(manifest, before | {"counts": {"prompt_tokens": 7_000_000, "generated_tokens": 5}})
    assert tokens().startswith("7,0")


def test_the_last_iteration_that_is_kept_is_not_called_the_best(tmp_path):
    root = measured_run(tmp_path)
    replace_json(root / "report.json", read_json(root / "report.json") | {"keep": "last"})
    assert told(root)[0].startswith("Iteration 2 is the last, which is kept: ")


def test_dev_pairs_alone_are_told_to_flatter_the_judge_that_they_chose(tmp_path):
    _, words = told(measured_run(tmp_path, sets={"dev": 40}))
    assert "The dev pairs also chose the judge" in words


def test_pairs_that_are_not_the_same_are_not_compared(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.8))
    path = root / "iter-01/eval/test/results.json"
    replace_json(path, read_json(path) | {"pairs_sha256": "q" * 64})
    _, words = told(root)
    assert "It cannot be compared with the seed: not the same pairs" in words


@pytest.mark.parametrize("measured", [True, False])
def test_an_unfinished_run_names_no_best(tmp_path, measured):
    skills = (0.5, 0.9) if measured else ()
    title, words = told(measured_run(tmp_path, skills=skills, iterations=3, best=None))
    assert "best" not in title
    assert f"{int(measured)} of 3 iterations are done" in words


def test_without_dev_pairs_the_last_iteration_is_not_called_the_best(tmp_path):
    title, _ = told(measured_run(tmp_path, skills=(0.5, 0.95), sets={"test": 80}))
    assert title.startswith("Iteration 1 is the last, which is kept: right in both orders on")
