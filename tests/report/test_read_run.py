"""A run's figures are read from its folder alone, however far it has come."""

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from ste_plugin.errors import DataError
from ste_plugin.report.read_run import read_run
from ste_plugin.storage.jsonl import replace_json
from tests.helpers.measured_runs import measured_run


def test_the_shipped_round_is_shown_and_without_one_the_last_measured(tmp_path):
    root = measured_run(tmp_path, best=1)
    assert read_run(root).shown.number == 1
    (root / "report.json").unlink()
    assert read_run(root).shown.number == 2


def test_the_shown_round_is_held_against_the_seed_and_each_against_the_one_before(tmp_path):
    compared = read_run(measured_run(tmp_path, skills=(0.5, 0.6, 0.7, 0.8), best=2)).compared
    assert [(c.first, c.second) for c in compared] == [(0, 2), (0, 1), (1, 2), (2, 3)]
    assert all(list(c.comparisons) == ["test", "dev"] for c in compared)


@contextmanager
def counted_opens(name):
    """Counts how often each file of this name is opened, by its path."""
    opened, on = Counter(), [True]

    def see(event, arguments):
        if on and event == "open" and str(arguments[0]).endswith(f"/{name}"):
            opened[Path(arguments[0])] += 1

    sys.addaudithook(see)  # cannot be taken off again
    try:
        yield opened
    finally:
        on.clear()


def test_what_was_judged_is_read_once_however_often_it_is_compared(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.6, 0.7, 0.8), best=2)
    with counted_opens("judged.jsonl") as opened:
        read_run(root)
    assert opened == dict.fromkeys(root.glob("iter-*/eval/*/judged.jsonl"), 1)
    assert len(opened) == 8


def test_rounds_that_cannot_be_compared_on_some_pairs_are_compared_on_the_others(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.6))
    (root / "iter-01/eval/dev/judged.jsonl").unlink()
    (compared,) = read_run(root).compared
    assert list(compared.comparisons) == ["test"]
    assert "iter-01/eval/dev/judged.jsonl: no such file" in compared.refused["dev"]


def test_rounds_that_were_measured_on_other_pairs_are_told_as_that(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.6), sets={"dev": 20})
    (root / "iter-01/eval/dev").rename(root / "iter-01/eval/human")
    (compared,) = read_run(root).compared
    assert compared.refused == {"": "they were measured on other pairs"}


def test_times_of_all_starts_are_added_up(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.6))
    with (root / "events.jsonl").open("a") as file:
        file.write('{"stage":"train","iteration":1,"seconds":100.5}\n')
    assert read_run(root).seconds[1, "train"] == 1000.5


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"not a run's folder \(no run.yaml\)"):
        read_run(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    root = measured_run(tmp_path)
    (root / "iter-01/eval/test/results.json").write_text('{"n": ')
    with pytest.raises(DataError, match="iter-01/eval/test/results.json"):
        read_run(root)


def test_folders_that_are_no_rounds_are_left_alone(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.6))
    (root / "iter-old").mkdir()
    replace_json(root / "old-1/iter-01/eval/test/results.json", {})
    assert [r.number for r in read_run(root).rounds] == [0, 1]
