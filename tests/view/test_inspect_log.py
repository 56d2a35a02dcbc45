"""Judgments as logs of inspect_ai."""

import json
import zipfile

import pytest

from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.view import inspect_log
from ste_plugin.view.inspect_log import export
from ste_plugin.view.prompts import format_finder
from tests.helpers import viewed_runs as runs
from tests.helpers.viewed_folders import opened


def exported(root, out):
    with opened(root) as folder:
        return {path.name: path for path in export(folder, out, format_finder(plugin_manager()))}


def read(path, name):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(name))


def test_every_judge_has_a_log_of_what_it_said_in_each_order(tmp_path):
    pairs = runs.write_run(tmp_path / "run", 8, 4)
    logs = exported(tmp_path / "run", tmp_path / "out")
    assert set(logs) == {
        *(f"iter-0{n}-test.eval" for n in (0, 1, 2)),
        *(f"iter-0{n}-train.eval" for n in (1, 2)),
    }
    header = read(logs["iter-00-test.eval"], "header.json")
    assert header["eval"]["model"] == "iter-00"
    assert header["results"]["scores"][0]["metrics"]["acc_pc"]["value"] == 0
    summaries = read(logs["iter-00-test.eval"], "summaries.json")
    assert [s["scores"]["right"]["value"] for s in summaries] == ["C", "I"] * 4
    key = f"{pairs[0].key}-B"
    first, second = (
        read(logs["iter-01-train.eval"], f"samples/{key}_epoch_{n}.json") for n in (1, 2)
    )
    assert first["target"] == "B"
    assert first["scores"]["right"]["value"] == "I"
    assert second["scores"]["right"]["value"] == "C"
    assert first["input"].startswith("Which answer serves the instruction better?")
    thought, said = second["messages"][1]["content"]
    assert thought == {"type": "reasoning", "reasoning": "Which one?"}
    assert said["text"].endswith("Final verdict: [[B]]")


def test_many_samples_become_several_logs(tmp_path, monkeypatch):
    runs.write_run(tmp_path / "run", 8, 4)
    monkeypatch.setattr(inspect_log, "PER_LOG", 5)
    logs = exported(tmp_path / "run", tmp_path / "out")
    parts = [name for name in logs if name.startswith("iter-01-train")]
    assert parts == ["iter-01-train.eval", "iter-01-train-2.eval", "iter-01-train-3.eval"]
    assert [len(read(logs[name], "summaries.json")) for name in parts] == [5, 5, 2]


def test_the_same_judgments_make_the_same_log(tmp_path):
    runs.write_run(tmp_path / "run", 8, 4)
    first = exported(tmp_path / "run", tmp_path / "out")["iter-02-test.eval"]
    members = {n: read(first, n) for n in zipfile.ZipFile(first).namelist()}
    second = exported(tmp_path / "run", tmp_path / "out")["iter-02-test.eval"]
    assert {n: read(second, n) for n in zipfile.ZipFile(second).namelist()} == members


def test_inspect_reads_what_was_written(tmp_path):
    log = pytest.importorskip("inspect_ai.log", reason="inspect_ai wants another pydantic")
    runs.write_run(tmp_path / "run", 8, 4)
    for path in exported(tmp_path / "run", tmp_path / "out").values():
        found = log.read_eval_log(str(path))
        assert found.status == "success"
        assert len(found.samples) == found.results.total_samples
        names = [(s.id, s.epoch) for s in log.read_eval_log_sample_summaries(str(path))]
        assert sorted(names) == sorted((s.id, s.epoch) for s in found.samples)
        assert {s.scores["right"].value for s in found.samples} <= {"C", "I", "N"}
