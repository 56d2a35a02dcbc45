"""A published judge measured by somebody else: the same prompts, the same figures, by lm-eval."""

import json
import shutil
from pathlib import Path

import pytest

from ste_plugin.cli.entry_point import app
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers.published_runs import finished_run, publish

ASKED = ("--limit", "2", "--judge-args", "max_new_tokens=2")


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    judging = {"format": "verdict", "samples": 4, "force_verdict": True}
    return finished_run(tmp_path_factory.mktemp("run"), tiny_model, 0.97, judging=judging)


@pytest.fixture(scope="module")
def judge(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("published") / "out"
    publish(run, out, "--what", "model,data")
    return out


def measure(model: Path, data: Path, out: Path, *options: str) -> dict:
    words = ["eval", "--model", model, "--data", data, "--out", out, "--json", *ASKED, *options]
    app([str(word) for word in words], standalone_mode=False)
    return read_json(out / "results.json")


def prompts(out: Path) -> list[str]:
    (path,) = out.rglob("samples_*.jsonl")
    return [
        asked["arg_0"]
        for _, row in sorted(read_rows(path), key=lambda numbered: numbered[1]["doc_id"])
        for asked in row["arguments"].values()
    ]


@pytest.mark.slow
def test_a_published_judge_is_asked_and_measured_as_the_run_asked_its_own(run, judge, tmp_path):
    data = judge / "data/pairs/test.jsonl"
    options = ("--format", "verdict", "--judge-args", "max_new_tokens=2,force=1")
    own = measure(run / "iter-01/model/merged", data, tmp_path / "own", *options)
    found = measure(judge / "model", data, tmp_path / "published")
    for name in ("judge_format", "settings", "pairs_sha256", "overall", "subsets", "n"):
        assert found[name] == own[name], name
    assert found["settings"]["force"] is True
    assert prompts(tmp_path / "published") == prompts(tmp_path / "own")
    assert len(prompts(tmp_path / "own")) >= 4


def test_weights_that_are_not_the_cards_are_not_measured(judge, tmp_path):
    folder = shutil.copytree(judge / "model", tmp_path / "changed")
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(DataError, match=r"model\.safetensors: not the file of the judge"):
        measure(folder, judge / "data/pairs/test.jsonl", tmp_path / "out")
    words = ["judge", str(folder), "--instruction", "x", "--a", "y", "--b", "z"]
    with pytest.raises(DataError, match=r"model\.safetensors: not the file of the judge"):
        app(words, standalone_mode=False)


def test_a_format_that_is_another_one_here_is_not_measured(judge, tmp_path):
    folder = shutil.copytree(judge / "model", tmp_path / "other")
    told = json.loads((folder / "ste_judge.json").read_text())
    told["judge_format"]["version"] = "verdict-00000000"
    (folder / "ste_judge.json").write_text(json.dumps(told))
    with pytest.raises(ConfigError, match="verdict-00000000"):
        measure(folder, judge / "data/pairs/test.jsonl", tmp_path / "out")
