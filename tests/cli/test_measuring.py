"""`ste eval --model`: in which folder the figures of a judge land, and whose they never replace."""

import json
from pathlib import Path

import pytest

from ste_plugin.storage.jsonl import replace_json, replace_rows
from tests.helpers.command import ste


def judge(root: Path, name: str) -> str:
    (root / name).mkdir(parents=True)
    (root / name / "config.json").write_text("{}")
    return name


def measure(root: Path, model: str, *options: str):
    row = {"id": "p0", "subset": "s", "prompt": "q", "chosen": "yes", "rejected": "no"}
    replace_rows(root / "pairs.jsonl", [row])
    return ste("eval", "--model", model, "--data", "pairs.jsonl", *options, cwd=root)


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("runs/mine/iter-02/model/merged", "mine-iter-02"),
        ("runs/mine/iter-02/stage-1/model/merged", "mine-iter-02-stage-1"),
        ("org2/judge", "judge"),
    ],
)
def test_the_evaluation_of_another_judge_is_named_and_never_replaced(tmp_path, model, folder):
    file = tmp_path / "evaluations" / folder / "ste_local/results.json"
    data = str(tmp_path / "pairs.jsonl")
    other = {"model": "org1/judge", "data": data, "judge_format": "brief-12ab34cd"}
    replace_json(file, other)
    done = measure(tmp_path, judge(tmp_path, model))
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert (
        f"evaluations/{folder}/ste_local/results.json: found an evaluation of org1/judge on "
        f"{data} in the format brief; this is one of {model} on {data} in the format "
        "criteria, and would replace it. Give it a folder of its own (--out), or delete that one."
    ) in told
    assert json.loads(file.read_text()) == other


def test_an_evaluation_of_the_same_judge_under_other_settings_is_not_replaced_either(tmp_path):
    file = tmp_path / "evaluations/judge/ste_local/results.json"
    data = str(tmp_path / "pairs.jsonl")
    same = {"model": "org/judge", "data": data, "judge_format": "criteria-12ab34cd"}
    replace_json(file, same)
    done = measure(tmp_path, judge(tmp_path, "org/judge"), "--limit", "1")
    assert done.returncode == 2
    assert "this one has other weights, pairs, words or settings, and" in " ".join(
        done.stderr.split()
    )
    assert json.loads(file.read_text()) == same
