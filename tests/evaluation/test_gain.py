"""What a run gained over its seed: tested on every set that did not choose, all sets together."""

from ste_plugin.evaluation.compare import compare
from ste_plugin.evaluation.gain import gain_of
from ste_plugin.evaluation.paired_test import holm
from ste_plugin.storage.jsonl import read_json, replace_json
from tests.helpers.measured_runs import measured_run

SETS = {"dev": 60, "test": 80, "pandalm": 100, "chat": 40}


def test_one_set_is_told_as_compare_tells_it(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.9))
    found = compare(root / "iter-00", root / "iter-01")[0]["test"]
    (line,) = gain_of(root, 1, 1).sentences()
    said = found.sentence("the seed", "iteration 1")
    assert line == f"On test, m{said[1:]}"
    assert "more than noise: iteration 1 is right in both orders more often" in line
    assert "Holm" not in line


def test_several_sets_are_corrected_together_and_the_dev_pairs_are_none_of_them(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.9), sets=SETS)
    alone = compare(root / "iter-00", root / "iter-01")[0]
    gain = gain_of(root, 1, 1)
    assert list(gain.comparisons) == ["test", "chat", "pandalm"]
    corrected = holm([alone[name].p for name in gain.comparisons])
    assert [c.p_corrected for c in gain.comparisons.values()] == corrected
    assert all("after Holm's correction over 3 sets" in line for line in gain.sentences())


def test_a_set_whose_judgments_are_gone_hides_no_other(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.9), sets=SETS)
    (root / "iter-01/eval/chat/judged.jsonl").unlink()
    gain = gain_of(root, 1, 1)
    assert list(gain.comparisons) == ["test", "pandalm"]
    assert "On chat, iteration 1 is not compared with the seed: " in gain.sentences()[-1]
    assert "chat/judged.jsonl: no such file" in gain.sentences()[-1]


def test_what_is_more_than_noise_alone_may_be_none_among_many(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.5), sets={f"s{n}": 60 for n in range(9)})
    judged = root / "iter-01/eval/s0/judged.jsonl"
    lines = judged.read_text().splitlines()
    better = [line.replace('"verdict_b":"A"', '"verdict_b":"B"') for line in lines]
    better = [line.replace('"verdict_a":"B"', '"verdict_a":"A"') for line in better]
    alone = compare(root / "iter-00", root / "iter-01")[0]["s0"]
    for wins in range(6, 30):
        judged.write_text("\n".join(better[:wins] + lines[wins:]) + "\n")
        alone = compare(root / "iter-00", root / "iter-01")[0]["s0"]
        if alone.more_than_noise:
            break
    together = gain_of(root, 1, 1).comparisons["s0"]
    assert alone.more_than_noise
    assert not together.more_than_noise
    assert "No more than noise" in together.sentence()
    assert "McNemar's exact test at 0.0056" in together.sentence()


def test_a_set_too_small_says_how_many_pairs_it_takes(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.65), sets={"dev": 12, "test": 14})
    gain = gain_of(root, 1, 1)
    comparison = gain.comparisons["test"]
    assert comparison.won != comparison.lost
    assert comparison.pairs_needed > 14
    (line,) = gain.sentences()
    assert "A difference of this size takes about" in line
    assert gain.to_dict()["evaluations"]["test"]["pairs_needed"] == comparison.pairs_needed


def test_where_the_seed_is_kept_the_last_iteration_is_held_against_it(tmp_path):
    root = measured_run(tmp_path, skills=(0.8, 0.7, 0.6), best=0)
    told, line = gain_of(root, 0, 2).sentences()
    assert told == "The seed is kept. Iteration 2 against it:"
    assert line.startswith("On test, more than noise: the seed is right in both orders more often")


def test_dev_pairs_alone_tell_no_gain(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.9), sets={"dev": 40})
    assert gain_of(root, 1, 1).sentences() == [
        "Nothing but the dev pairs was measured, and these choose the judge."
    ]


def test_a_set_that_cannot_be_compared_says_why_and_hides_no_other(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.9), sets={"test": 40, "chat": 40})
    path = root / "iter-01/eval/chat/results.json"
    replace_json(path, read_json(path) | {"pairs_sha256": "q" * 64})
    first, second = gain_of(root, 1, 1).sentences()
    assert first.startswith("On test, more than noise")
    assert second.startswith("On chat, iteration 1 is not compared with the seed: not the same")


def test_a_judged_file_that_is_gone_ends_no_run(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.9), sets={"test": 40})
    (root / "iter-01/eval/test/judged.jsonl").unlink()
    (line,) = gain_of(root, 1, 1).sentences()
    assert line.startswith("Iteration 1 is not compared with the seed: ")
    assert "judged.jsonl" in line


def test_a_seed_alone_has_gained_nothing(tmp_path):
    assert gain_of(tmp_path, 0, 0) is None
