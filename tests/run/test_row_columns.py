"""Columns of an instruction's row that a judge format shows: in every prompt, from the source to
the measured pairs, and nowhere where they must not be."""

import json

import pytest
import yaml

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.evaluation.plan import plan_evaluations
from ste_plugin.run.open_run import open_run
from ste_plugin.run.preview import preview
from tests.helpers.documented_formats import HOOKS
from tests.helpers.fake_runs import ALL_ROWS, generated, rows_of, written
from tests.helpers.forgetting import forgotten

FORMAT = """
name: ours
turns:
  - role: user
    template: |
      [Instruction]
      {{ instruction }}

      What counts: {{ rubric_of_row }}
      {% for check in checks %}- {{ check.text }} ({{ check.points }})
      {% endfor %}
      [Answer A]
      {{ answer_a }}

      [Answer B]
      {{ answer_b }}

      Say why. Close with [[A]] or [[B]].
columns: [rubric_of_row, checks]
verdict: {marks: "[[{letter}]]"}
sample: {rubric_of_row: Short., checks: [{text: It is a number, points: 2}]}
"""
COLUMNS = {"rubric_of_row": "rubric", "checks": "checklist"}


def row(n, **more):
    checks = [{"text": f"It says {n}", "points": n}]
    asked = {"instruction": f"Say number {n}.", "rubric": f"Only {n} is right."}
    return asked | {"checklist": checks, "unused": "secret"} | more


@pytest.fixture
def run(tmp_path, tiny_model):
    """Write a run whose format shows two columns; return its config."""

    def make(rows, columns=COLUMNS, **more):
        judging = {"format": "ours.yaml", "samples": 2, "sampling": "fixed"}
        judge = {"model": str(tiny_model), "engine": "speaking", "options": {"speaks": "letters"}}
        settings = {"judging": judging, "judge": judge, "dataset": ALL_ROWS} | more
        path = written(tmp_path, tiny_model, **settings)
        (tmp_path / "hooks.py").write_text(HOOKS)
        (tmp_path / "ours.yaml").write_text(FORMAT)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "instructions.jsonl").write_text(lines)
        config = yaml.safe_load(path.read_text())
        config["instructions"] = [{"path": "instructions.jsonl", "columns": columns}]
        path.write_text(yaml.safe_dump(config))
        return path

    return make


def prompts_of(path, *files):
    return [r["messages"][0]["content"] for name in files for r in rows_of(path, name)]


def test_they_are_in_the_prompts_that_are_learnt_and_measured(run):
    path = run(row(n) for n in range(40))
    generated(path)
    shown = prompts_of(path, "sft-train", "judge-dev", "judge-test")
    assert len(shown) > 40
    for prompt in shown:
        number = prompt.partition("Say number ")[2].partition(".")[0]
        assert f"What counts: Only {number} is right.\n- It says {number} ({number})\n" in prompt
        assert "secret" not in prompt
    with open_run(path, [], quiet=True) as context:
        _, settings = plan_evaluations(context)["test"]
    held_out = [json.loads(line) for line in settings.data.read_text().splitlines()]
    assert all(r["prompt"] == f"Say number {r['checks'][0]['points']}." for r in held_out)


def test_a_preview_shows_them(run):
    found = preview(run(row(n) for n in range(40)), [], quiet=True)
    assert "What counts: Only " in found.row.prompt
    assert len(found.shown) == 10


def test_a_row_without_one_is_told_by_its_place(run):
    rows = [row(n) for n in range(9)]
    del rows[4]["rubric"]
    with pytest.raises(DataError, match=r"instructions.jsonl:5: no column 'rubric'"):
        generated(run(rows))


def test_a_source_that_does_not_name_one_is_told_what_to_write(run):
    path = run((row(n) for n in range(9)), columns={"checks": "checklist"})
    with pytest.raises(ConfigError) as error:
        generated(path)
    assert "instructions[0] (instructions.jsonl) does not name" in str(error.value)
    assert "columns: {rubric_of_row: the file's column}" in str(error.value)


def test_one_that_the_format_does_not_show_is_refused_with_the_nearest(run):
    path = run((row(n) for n in range(9)), columns=COLUMNS | {"cheks": "checklist"})
    with pytest.raises(ConfigError, match=r"no column 'cheks'.* Did you mean 'checks'\?"):
        generated(path)


def test_a_format_that_shows_a_pairs_own_column_does_not_train(run, tmp_path):
    path = run((row(n) for n in range(9)), columns=COLUMNS | {"chosen": "rubric"})
    file = tmp_path / "ours.yaml"
    file.write_text(FORMAT.replace("rubric_of_row", "chosen"))
    with pytest.raises(ConfigError, match="shows the column 'chosen', which a pair has of its own"):
        generated(path)


def test_personal_data_in_them_has_the_placeholder_that_it_has_in_the_text(run):
    rows = [row(n, rubric=f"Only {n}, to b@example.org or a@example.org.") for n in range(30)]
    rows = [r | {"instruction": f"{r['instruction']} Tell a@example.org."} for r in rows]
    path = run(rows, privacy={"scrub": ["email"]})
    generated(path)
    for prompt in prompts_of(path, "sft-train"):
        assert "example.org" not in prompt
        assert "Tell <EMAIL>." in prompt
        assert "to <EMAIL_2> or <EMAIL>." in prompt


def test_what_stands_in_them_alone_is_found_to_be_forgotten(run):
    path = run(row(n) for n in range(40))
    generated(path)
    assert len(forgotten(path, match="Only 7 is right").keys) == 1
    assert not any("Only 7 is right" in prompt for prompt in prompts_of(path, "sft-train"))


def test_labelled_pairs_have_them_in_their_own_rows(run, tmp_path):
    path = run(row(n) for n in range(40))
    pairs = [
        {
            "prompt": f"Say number {n}.",
            "chosen": f"Reply to <Say number {n}.>",
            "rejected": f"Reply to <Say number {n + 1}.>",
            "rubric_of_row": f"Given {n}.",
            "checks": [{"text": "given", "points": n}],
        }
        for n in range(100, 140)
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    config = yaml.safe_load(path.read_text())
    config["pairs"] |= {"given": "mine.jsonl"}
    path.write_text(yaml.safe_dump(config))
    generated(path)
    given = [p for p in prompts_of(path, "sft-train") if "What counts: Given 1" in p]
    assert len(given) > 10
    assert all("- given (1" in prompt for prompt in given)
    generated(path)  # what is there is read again
    del pairs[3]["checks"]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    path.write_text(path.read_text().replace("run: run", "run: other"))
    with pytest.raises(DataError, match=r"mine.jsonl:4.*'checks'"):
        generated(path)
