"""`ste preview`: what a person and a script see of ten instructions."""

import json
import re

import pytest

from tests.helpers import fake_writers
from tests.helpers.command import ste
from tests.helpers.fake_runs import SPLITS, written

pytestmark = pytest.mark.usefixtures("warm_hosts")


def test_a_preview_shows_answers_judgments_a_row_and_an_estimate(tiny_model, tmp_path):
    written(tmp_path, tiny_model)
    done = ste("preview", "ste.yaml", "--plugin", "hooks.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in (
        "better: Reply to <Say number",
        "worse (other-instruction): Reply to <Say number",
        "better shown as A: right: It answers what was asked. Final verdict: [[A]]",
        "One prompt of the judge, in full:\n[user]\nWhich answer",
        "training rows (sft), as it is trained. Its prompt ends:",
        "Final verdict: [[A]]<|im_end|>'",
        "estimated from 10 of 41 instructions:",
        "requests   tokens read   tokens written",
        "no prices",
    ):
        assert words in done.stdout, words
    assert "probe (writing answers): 8 answers from" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_preview_says_which_answer_was_rated_alone(tiny_model, tmp_path):
    written(tmp_path, tiny_model, judging={"format": "rating", "samples": 2})
    done = ste("preview", "ste.yaml", "--plugin", "hooks.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in ("better alone: right: It is like that", "worse alone: right: It is like that"):
        assert words in done.stdout
    assert "shown as" not in done.stdout


def test_a_preview_says_how_many_rows_ask_for_the_letter_alone(tiny_model, tmp_path):
    written(tmp_path, tiny_model, dataset={**SPLITS, "verdict_share": 0.25})
    done = ste("preview", "ste.yaml", "--plugin", "hooks.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    line = r"One of (\d+) training rows \(sft; (\d+) ask for the letter alone\)"
    rows, alone = map(int, re.search(line, done.stdout).groups())
    assert abs(alone - rows / 4) <= 1


def test_a_better_answer_stands_before_the_worse_ones_that_it_goes_with(tiny_model, tmp_path):
    fake_writers.written(
        tmp_path,
        ["checked-answer", "majority-answer", "inject-error"],
        judge={"model": str(tiny_model), "engine": "writer"},
        generator=fake_writers.STRONG,
        judging={"format": "brief"},
    )
    done = ste("preview", "ste.yaml", "--plugin", "hooks.py", cwd=tmp_path)
    shown = done.stdout.partition("\n2. ")[0].splitlines()
    answers = [line.strip() for line in shown if line.startswith(("   better:", "   worse"))]
    assert [line.partition(":")[0] for line in answers] == [
        "better",
        "worse (checked-answer)",
        "worse (majority-answer)",
        "better",
        "worse (inject-error)",
    ]
    assert answers[0].endswith("Answer: 5")
    assert answers[3].startswith("better: A strong reply to Say number")


def test_a_script_gets_the_preview_as_json(tiny_model, tmp_path):
    written(tmp_path, tiny_model)
    done = ste("preview", "ste.yaml", "--plugin", "hooks.py", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert len(found["shown"]) == 10
    assert [stage["stage"] for stage in found["estimate"]] == ["answers", "judgments", "total"]
    assert found["row"]["targets"].keys() == {"judgment"}
    assert done.stderr == ""


def test_a_preview_runs_no_plugin_that_is_not_named(tiny_model, tmp_path):
    written(tmp_path, tiny_model)
    done = ste("preview", "ste.yaml", cwd=tmp_path)
    assert done.returncode == 6
    assert f"--plugin {tmp_path}/hooks.py" in done.stderr


def test_a_judge_without_verdicts_ends_the_preview_as_it_would_end_the_run(tiny_model, tmp_path):
    written(tmp_path, tiny_model, judges="never")
    done = ste("preview", "ste.yaml", "--plugin", "hooks.py", cwd=tmp_path)
    assert done.returncode == 7
    assert "no verdict: Hard to say." in done.stdout
    assert "Nothing to train on: The judge stated no verdict" in done.stdout
    assert "estimated from 10 of" in done.stdout


def test_what_models_write_is_shown_without_control_characters(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    evil = json.dumps({"instruction": "Say \u001b[31mred\u202e."})
    with (tmp_path / "instructions.jsonl").open("w") as file:
        file.writelines(f'{evil[:-2]} {n}"}}\n' for n in range(10))
    done = ste("preview", str(path), "--plugin", "hooks.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\\u001b[31mred\\u202e" in done.stdout
    assert "\x1b" not in done.stdout
