"""A run whose format is a YAML file with a rubric: published, and measured elsewhere alike."""

from pathlib import Path

import pytest

from ste_plugin import Judge
from ste_plugin.cli.entry_point import app
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers.published_runs import finished_run, publish

RUBRIC = "An answer says the number that it was asked for."
HOUSE = """
name: house
turns:
  - {role: system, template: "What counts: {{ rubric }}"}
  - template: |
      [Instruction]
      {{ instruction }}

      [Answer A]
      {{ answer_a }}

      [Answer B]
      {{ answer_b }}
verdict: {marks: "[[{letter}]]"}
closing: "[["
after_letter: "]]"
reasons: false
max_new_tokens: 2
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    folder = tmp_path_factory.mktemp("run")
    (folder / "house.yaml").write_text(HOUSE)
    judging = {"format": "house.yaml", "rubric": RUBRIC, "samples": 4, "force_verdict": True}
    return finished_run(folder, tiny_model, 0.97, judging=judging)


def measure(model: Path, data: Path, out: Path, *options: object) -> dict:
    words = ["eval", "--model", model, "--data", data, "--out", out, "--limit", "2", *options]
    app([str(word) for word in words], standalone_mode=False)
    return read_json(out / "results.json")


def prompts(out: Path) -> list[str]:
    (path,) = out.rglob("samples_*.jsonl")
    return sorted(a["arg_0"] for _, row in read_rows(path) for a in row["arguments"].values())


def said(judge: Path, **settings: object) -> list[tuple[object, ...]]:
    options = {"dtype": "float32"}
    with Judge(judge, engine="local", options=options, **settings) as opened:
        assert RUBRIC in str(opened.format.render("Name 4.", "4", "Four."))
        found = opened.compare_many([("Name 4.", "4", "Four, I think."), ("Name 5.", "6", "5")])
        return [
            (opened.format.version, c.verdict, c.probability, c.abstained, c.orders) for c in found
        ]


def test_a_published_judge_says_in_python_what_the_runs_own_says(run, tmp_path):
    out, model = tmp_path / "out", run / "iter-01/model/merged"
    publish(run, out, "--what", "model")
    own = said(model, format=str(run / "judge_format.yaml"), force_verdict=True)
    assert said(out / "model") == own
    assert all(probability is not None for _, _, probability, *_ in own)


@pytest.mark.slow
@pytest.mark.usefixtures("warm_hosts")
def test_a_published_judge_of_an_own_format_and_rubric_is_the_same_judge(run, tmp_path):
    out, model = tmp_path / "out", run / "iter-01/model/merged"
    publish(run, out, "--what", "model,data")
    data = out / "data/pairs/test.jsonl"
    args = ("--judge-args", "force=1")
    own = measure(model, data, tmp_path / "own", "--format", run / "judge_format.yaml", *args)
    found = measure(out / "model", data, tmp_path / "published", *args)
    for name in ("judge_format", "settings", "pairs_sha256", "overall", "subsets", "n"):
        assert found[name] == own[name], name
    assert prompts(tmp_path / "published") == prompts(tmp_path / "own")
    assert all(RUBRIC in prompt for prompt in prompts(tmp_path / "published"))
