"""What a run's judges are measured on, and as what kind of model."""

import pytest

from ste_plugin.evaluation.plan import configured, plan_evaluations
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.run.open_run import open_run
from tests.helpers import fake_runs


def test_a_judge_is_measured_as_it_is_asked_and_trained(tiny_model, tmp_path):
    judge = {
        "model": str(tiny_model),
        "engine": "fake",
        "chat_template_kwargs": {"enable_thinking": False},
        "thinking": {"open": "<scratch>", "close": "</scratch>"},
    }
    evaluation = {"tasks": ["ste_llmbar"], "omit": ["seed"]}
    path = fake_runs.written(tmp_path, tiny_model, judge=judge, evaluation=evaluation)
    with open_run(path, [], quiet=True) as context:
        task, settings = configured(context)["ste_llmbar"]
    assert (task, settings.format) == ("ste_llmbar", "brief")
    assert settings.chat_template_kwargs == {"enable_thinking": False}
    assert (settings.thinking, settings.omit) == (("<scratch>", "</scratch>"), ("seed",))


def test_given_pairs_and_benchmarks_may_lie_in_the_home_folder(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    evaluation = {"tasks": ["ste_llmbar"], "data": "~/copies", "pairs": {"mine": "~/a/*.jsonl"}}
    path = fake_runs.written(tmp_path, tiny_model, evaluation=evaluation)
    with open_run(path, [], quiet=True) as context:
        plan = configured(context)
    assert plan["ste_llmbar"][1].data == tmp_path / "me" / "copies"
    assert plan["mine"][1].data == tmp_path / "me" / "a" / "*.jsonl"


@pytest.mark.parametrize(("evaluation", "most"), [({}, 48), ({"max_new_tokens": 96}, 96)])
def test_a_judge_may_write_as_much_when_measured_as_when_sampled(
    tiny_model, tmp_path, evaluation, most
):
    path = fake_runs.written(
        tmp_path,
        tiny_model,
        judging={"max_new_tokens": 48},
        evaluation={"tasks": ["ste_llmbar"], **evaluation},
    )
    with open_run(path, [], quiet=True) as context:
        assert configured(context)["ste_llmbar"][1].max_new_tokens == most


def test_a_file_of_pairs_may_say_how_its_rows_are_read(tiny_model, tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"q": "Why?", "good": "So.", "bad": "No."}\n')
    columns = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    pairs = {
        "mine": {"path": "mine.jsonl", "columns": columns, "lists": "all", "bad_rows": "drop"},
        "plain": "mine.jsonl",
    }
    path = fake_runs.written(tmp_path, tiny_model, evaluation={"pairs": pairs})
    with open_run(path, [], quiet=True) as context:
        task, mine = configured(context)["mine"]
        plain = configured(context)["plain"][1]
    assert task == "ste_local" and mine.data == plain.data == tmp_path / "mine.jsonl"
    assert (mine.columns, mine.lists, mine.bad_rows) == (columns, "all", "drop")
    assert (plain.columns, plain.lists, plain.bad_rows) == ({}, "best_worst", "refuse")
    assert [pair.chosen for pair in read_pairs(mine)] == ["So."]


def test_held_out_pairs_that_are_too_long_are_dropped_as_given_ones_are(tiny_model, tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"prompt": "Why?", "chosen": "So.", "rejected": "No."}\n')
    evaluation = {"too_long": "drop", "limit": 3, "pairs": {"mine": "mine.jsonl"}}
    path = fake_runs.written(tmp_path, tiny_model, evaluation=evaluation)
    with open_run(path, [], quiet=True) as context:
        plan = {name: settings for name, (_, settings) in plan_evaluations(context).items()}
    assert {name: s.too_long for name, s in plan.items()} == dict.fromkeys(plan, "drop")
    assert (plan["dev"].limit, plan["mine"].limit) == (None, 3)  # all that was held out counts
