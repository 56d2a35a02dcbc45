"""`ste audit JUDGE --labels`: known judges, measured by the real lm-eval, and the answer for CI."""

import json

import pytest
from typer.testing import CliRunner

from ste_plugin.cli.entry_point import app
from ste_plugin.errors import Inconclusive, NotTrusted
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.jsonl import replace_rows
from ste_plugin.storage.resources import shipped_folder
from tests.helpers.evaluating import simple_evaluate
from tests.helpers.known_judges import judge
from tests.helpers.scripted_judge import told

PEOPLE = {"ann": "chosen", "ben": "chosen", "cy": "tie"}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Sixty pairs that three people labelled, the worse answers longer; and a first few of them."""
    folder = tmp_path_factory.mktemp("labels")
    rows = [
        {
            "id": str(n),
            "subset": "mine",
            "prompt": f"Question {n}?",
            "chosen": f"GOOD answer {n}.",
            "rejected": f"An answer to question {n}, " + "and more of it, " * (1 + n % 3),
            "labels": PEOPLE,
        }
        for n in range(60)
    ]
    for name, some in (("people.jsonl", rows), ("few.jsonl", rows[:4])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in some))
    return folder


@pytest.fixture(scope="module")
def measured(people):
    """A known judge's samples as lm-eval logs them."""

    def measure(name):
        from lm_eval.tasks import TaskManager

        tasks = str(shipped_folder("tasks"))
        with told(JudgeSettings(people / "people.jsonl", "verdict")):
            found = simple_evaluate(
                model=judge(name),
                tasks=["ste_local"],
                apply_chat_template=True,
                bootstrap_iters=0,
                log_samples=True,
                task_manager=TaskManager(include_path=tasks, include_defaults=False),
            )
        folder = people / name
        samples = [
            {key: s[key] for key in ("doc", "judged", "filtered_resps", "acc", "acc_pc")}
            for s in found["samples"]["ste_local"]
        ]
        folder.mkdir()
        replace_rows(folder / "samples_ste_local_2026.jsonl", samples)
        return folder

    return measure


def audited(*words):
    return CliRunner().invoke(app, ["audit", *map(str, words)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error", "figure"),
    [
        ("perfect", None, 1.0),
        ("always A", NotTrusted, 0.0),
        ("always longer", NotTrusted, 0.0),
        ("never valid", NotTrusted, 0.0),
    ],
)
def test_known_judges_get_the_answer_that_they_deserve(people, measured, name, error, figure):
    folder = measured(name)
    done = audited(folder, "--labels", people / "people.jsonl", "--json")
    found = json.loads(done.stdout)
    assert (found["figure"], found["pairs"], found["people"]["value"]) == (
        figure,
        60,
        pytest.approx(1 / 3),
    )
    assert type(done.exception) is (error or type(None))
    assert found["exit_code"] == (error.exit_code if error else 0)


@pytest.mark.slow
def test_a_judge_who_guesses_is_not_decided_by_four_labels(people, measured):
    done = audited(measured("random"), "--labels", people / "few.jsonl", "--at-least", "0.3")
    assert isinstance(done.exception, Inconclusive)
    assert "labelled prompts more like these would decide" in str(done.exception)
    assert "4 pairs labelled by people" in done.output
