"""A data set of a judge that thinks: its verdicts are what it says, and its rows what it learns."""

import shutil

import pytest

from ste_plugin.errors import JudgeError
from ste_plugin.records import Judgment
from ste_plugin.storage.jsonl import read_json, read_records, read_rows
from tests.helpers import fake_writers
from tests.helpers.fake_runs import SPLITS, generated, rows_of, written
from tests.helpers.forgetting import forgotten


def test_a_thinking_judge_is_read_by_what_it_says_and_not_by_what_it_thinks(tiny_model, tmp_path):
    counts = generated(written(tmp_path, tiny_model, judges="thinks"))["counts"]
    assert counts["correct"] == counts["judgments"] > 0
    for judgment in read_records(tmp_path / "run/iter-01/judgments.jsonl", Judgment):
        assert judgment.thinking.startswith("<think>\nIs it [[")
        assert judgment.text.startswith("It answers")


@pytest.mark.parametrize(
    ("learns", "begins"), [("keep", "<think>\nIs it [["), ("drop", "It answers what was asked.")]
)
def test_the_config_says_whether_thoughts_are_learnt(tiny_model, tmp_path, learns, begins):
    dataset = {**SPLITS, "thinking": learns}
    path = written(tmp_path, tiny_model, judges="thinks", dataset=dataset)
    assert generated(path)["settings"]["dataset"]["thinking"] == learns
    replies = [row["messages"][-1]["content"] for row in rows_of(path, "sft-train")]
    assert len(replies) > 10
    assert all(reply.startswith(begins) and reply.endswith("]]") for reply in replies)


def test_a_judge_whose_thoughts_never_end_states_no_verdict(tiny_model, tmp_path):
    with pytest.raises(JudgeError):
        generated(written(tmp_path, tiny_model, judges="thinks without end"))


def test_no_answer_of_a_thinking_generator_holds_a_thought(tiny_model, tmp_path):
    judge = {"model": str(tiny_model), "engine": "fake", "options": {"judges": "well"}}
    generator = {**judge, "options": {"thinks": True}}
    path = written(tmp_path, tiny_model, generator=generator)
    generated(path)
    prompts = [row["messages"][0]["content"] for row in rows_of(path, "sft-train")]
    assert len(prompts) > 10
    assert not any("think" in prompt or "What was asked" in prompt for prompt in prompts)


def test_the_manifest_says_what_the_chat_template_was_given(tiny_model, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    with (model / "chat_template.jinja").open("a") as template:
        template.write("{% if enable_thinking %}{% endif %}")
    judge = {"model": str(model), "engine": "fake", "options": {"judges": "well"}}
    judge["chat_template_kwargs"] = {"enable_thinking": False}
    judge["thinking"] = {"open": "<scratch>", "close": "</scratch>"}
    manifest = generated(written(tmp_path, tiny_model, judge=judge))
    assert manifest["chat_template"]["kwargs"] == {"enable_thinking": False}
    assert manifest["chat_template"]["thinking"] == judge["thinking"]


def test_a_manifest_says_how_many_judgments_name_the_fault_that_they_should_have_found(
    tiny_model, tmp_path
):
    judge = {"model": str(tiny_model), "engine": "writer"}
    judging = {"format": "brief", "samples": 4, "sampling": "fixed"}
    settings = {"judge": judge, "generator": fake_writers.STRONG, "judging": judging}
    path = fake_writers.written(tmp_path, ["inject-error"], **settings)
    counts = generated(path)["counts"]
    judged = counts["pairs"]["train"] + counts["pairs"]["dev"]
    assert counts["faults"] == {"correct": 8 * judged, "named": 4 * judged}
    key = next(read_rows(tmp_path / "run/pool/instructions.jsonl"))[1]["key"]
    before = len(read_records(tmp_path / "run/iter-01/judgments.jsonl", Judgment))
    forgotten(tmp_path / "run", key=key)
    left = len(read_records(tmp_path / "run/iter-01/judgments.jsonl", Judgment))
    assert left < before
    manifest = read_json(tmp_path / "run/iter-01/dataset/manifest.json")
    assert manifest["counts"]["faults"] == {"correct": left, "named": left // 2}


def test_a_manifest_of_pairs_without_named_faults_says_nothing_of_them(tiny_model, tmp_path):
    assert "faults" not in generated(written(tmp_path, tiny_model))["counts"]
