"""Labelled pairs that people edit in the course of a run: every judge is held to the same ones."""

import json

import pytest

from ste_plugin.audit.held_out import compare_labelled
from ste_plugin.evaluation.judges import Evaluation
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers.judged_runs import config_of, judges_trained, labelled, run
from tests.helpers.tiny_model import save_without_weights


@pytest.fixture
def model(tmp_path):
    return save_without_weights(tmp_path / "model")


def config(tmp_path, model, iterations):
    pairs = {"pairs": {"mine": "mine.jsonl"}}
    return config_of(tmp_path, model, iterations=iterations, evaluation=pairs)


def swap(row):
    return row | {"chosen": row["rejected"], "rejected": row["chosen"]}


def rename(row):
    return row | {"subset": "crowd"}


def edit(path, change, count):
    rows = [row for _, row in read_rows(path)]
    rows = [change(row) if number < count else row for number, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def results(tmp_path, number):
    return read_json(tmp_path / f"run/iter-{number:02d}/eval/mine/results.json")


@pytest.mark.parametrize("change", [swap, rename])
def test_edited_pairs_are_measured_again_for_every_judge(model, tmp_path, change):
    mine = labelled(tmp_path / "mine.jsonl", 60)
    with judges_trained(0.95, 0.95):
        run(config(tmp_path, model, 1))
        edit(mine, change, 50)
        reports = run(config(tmp_path, model, 2))
    measured = [results(tmp_path, number) for number in (0, 1, 2)]
    assert len({found["pairs_sha256"] for found in measured}) == 1
    reported = [report.evaluations["mine"] for report in reports]
    assert [r["overall"] for r in reported] == [found["overall"] for found in measured]
    assert [r["subsets"].keys() for r in reported] == [f["subsets"].keys() for f in measured]


def test_gates_are_decided_again_by_what_is_measured_again(model, tmp_path):
    mine = labelled(tmp_path / "mine.jsonl", 60)
    with judges_trained("learns the pairs"):
        path = config(tmp_path, model, 1)
        assert run(path)[1].broken
        edit(mine, swap, 60)  # it was right, and the labels were wrong
        assert not run(path)[1].broken
    assert not read_json(tmp_path / "run/iter-01/gates.json")["broken"]


def test_what_is_measured_again_is_so_after_a_kill_too(model, tmp_path):
    mine = labelled(tmp_path / "mine.jsonl", 60)

    def kill(step):
        if step.startswith("write") and step.endswith("done.json"):
            raise KeyboardInterrupt

    path = config(tmp_path, model, 1)
    with judges_trained(0.95):
        run(path)
    edit(mine, rename, 60)
    with judges_trained(0.95, on_step=kill), pytest.raises(KeyboardInterrupt):
        run(path)
    with judges_trained(0.95):
        reports = run(path)
    assert [list(r.evaluations["mine"]["subsets"]) for r in reports] == [["crowd"], ["crowd"]]


def test_a_finished_run_whose_pairs_are_gone_stays_as_it_is(model, tmp_path):
    mine = labelled(tmp_path / "mine.jsonl", 60)
    with judges_trained(0.95):
        path = config(tmp_path, model, 1)
        before = run(path)
        mine.unlink()
        assert run(path) == before


def test_judges_of_other_pairs_are_not_compared(model, tmp_path):
    mine = labelled(tmp_path / "mine.jsonl", 60)
    with judges_trained(0.95):
        path = config(tmp_path, model, 1)
        run(path)
        places = [tmp_path / f"run/iter-{number:02d}/eval/mine" for number in (0, 1)]
        assert compare_labelled(*(Evaluation(p, read_json(p / "results.json")) for p in places))
        edit(mine, swap, 30)
        with open_run(path, [], quiet=True) as context:
            stages.evaluate(context, 1)
        found = [Evaluation(p, read_json(p / "results.json")) for p in places]
    assert compare_labelled(*found) is None
