"""A preview shows ten instructions on the whole way, and leaves nothing behind."""

import json
import tempfile
from types import SimpleNamespace

import pytest

from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.run.preview import preview
from tests.helpers import fake_writers
from tests.helpers.chat_server import chat_server
from tests.helpers.fake_judge import judgment, reply
from tests.helpers.fake_runs import generated, written

PRICES = {"prompt_per_million": 1_000_000, "completion_per_million": 1_000_000}


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files, to look into."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def files_of(folder):
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def writes(body, _):
    message = SimpleNamespace(content=body["messages"][-1]["content"])
    return reply(SimpleNamespace(messages=[message]), "well")


def judges(body, index):
    request = SimpleNamespace(choices=(), seed=0, sample_index=index)
    return judgment(body["messages"][-1]["content"], "well", request)


def http(server, model, **options):
    options |= {"base_url": server.base_url, "backoff_s": 0.001, "max_attempts": 2}
    return {"model": model, "engine": "http", "options": options}


def test_ten_instructions_go_the_whole_way_to_rendered_rows(tiny_model, tmp_path):
    found = preview(written(tmp_path, tiny_model), [], quiet=True)
    assert found.instructions == 41
    assert len(found.shown) == 10
    answered = [shown for shown in found.shown if shown.pairs]
    assert {pair.strategy for shown in answered for pair in shown.pairs} == {
        "modified-instruction-two-calls",
        "other-instruction",
    }
    for shown in answered:
        for pair in shown.pairs:
            assert pair.better == f"Reply to <{shown.instruction}>"
            assert [j.gold for j in pair.judgments] == ["A", "B"]
            assert all(j.correct for j in pair.judgments)
    assert found.rows == 2 * sum(len(shown.pairs) for shown in found.shown)
    assert found.row.prompt.endswith("<|im_start|>assistant\n")
    (target,) = found.row.targets.values()
    assert target.endswith("]]<|im_end|>")
    assert "[Answer A]" in found.judge_prompt[-1].content
    assert found.problem == ""


def test_the_runs_folder_is_left_alone_and_nothing_else_is_left(tiny_model, tmp_path, temporary):
    path = written(tmp_path, tiny_model)
    preview(path, [], quiet=True)
    assert not (tmp_path / "run").exists()
    generated(path)
    before = files_of(tmp_path / "run")
    preview(path, [], quiet=True)
    assert files_of(tmp_path / "run") == before
    assert list(temporary.iterdir()) == []


def test_preferences_are_shown_with_both_replies(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, judges="half", training={"recipe": "dpo-lora-8b"})
    row = preview(path, [], quiet=True).row
    assert set(row.targets) == {"chosen", "rejected"}
    assert len(set(row.targets.values())) == 2
    assert row.row_format == "dpo"


def test_what_the_run_asks_is_estimated_from_the_ten(tiny_model, tmp_path):
    model = str(tiny_model)
    with (
        chat_server(writes, models=(model,)) as generator,
        chat_server(judges, models=(model,)) as judge,
    ):
        path = written(
            tmp_path,
            tiny_model,
            texts=99,
            judge=http(judge, model, prices=PRICES),
            generator=http(generator, model),
            pairs={"strategies": ["modified-instruction-two-calls"]},
            dataset={"dev_fraction": 0.2, "test_fraction": 0.0},
        )
        answers, judgments, total = preview(path, [], quiet=True).estimate
        asked_for_ten = len(generator.bodies), len(judge.bodies)
        counts = generated(path)["counts"]
        calls = len(generator.bodies) - asked_for_ten[0]
    low, high = answers.requests
    assert low == high == pytest.approx(calls, rel=0.05)
    assert answers.cost is None
    for estimated, name in (
        (judgments.prompt_tokens, "prompt_tokens"),
        (judgments.generated_tokens, "generated_tokens"),
        (judgments.requests, "judgments"),
    ):
        assert estimated[0] == pytest.approx(counts[name], rel=0.1)
    read_and_written = judgments.prompt_tokens[0] + judgments.generated_tokens[0]
    assert judgments.cost[0] == pytest.approx(read_and_written)
    assert total.cost == judgments.cost
    assert 0 < total.seconds[0] <= total.seconds[1]


def test_fresh_instructions_are_estimated_as_judged_in_one_iteration_each(tiny_model, tmp_path):
    estimates = {}
    for kind in ("all", "fresh"):
        (tmp_path / kind).mkdir()
        path = written(
            tmp_path / kind,
            tiny_model,
            texts=99,
            iterations=4,
            dataset={"dev_fraction": 0.2, "test_fraction": 0.1},
            training={"recipe": "sft-lora-8b", "instructions": kind},
        )
        estimates[kind] = preview(path, [], quiet=True).estimate[1].requests[0]
    assert estimates["fresh"] / estimates["all"] == pytest.approx((0.7 + 4 * 0.2) / (4 * 0.9))


def test_known_answers_are_previewed_and_each_writer_is_priced(tiny_model, tmp_path):
    prices = {"prompt_per_million": 0, "completion_per_million": 1e6}
    path = fake_writers.written(
        tmp_path,
        ["checked-answer", "stronger-vs-weaker"],
        judge={"model": str(tiny_model), "engine": "writer"},
        generator=fake_writers.STRONG,
        pairs={"weaker": fake_writers.WEAK | {"options": {"prices": prices}}},
        judging={"format": "brief"},
    )
    shown = preview(path, [], quiet=True)
    assert {pair.strategy for i in shown.shown for pair in i.pairs} == {
        "checked-answer",
        "stronger-vs-weaker",
    }
    low, high = shown.estimate[0].cost
    assert low == high == 20 * 7  # words of "A weak reply to Say number 1."


def test_each_pair_is_shown_with_its_own_better_answer(tiny_model, tmp_path):
    path = fake_writers.written(
        tmp_path,
        ["checked-answer", "inject-error"],
        judge={"model": str(tiny_model), "engine": "writer"},
        generator=fake_writers.STRONG,
        judging={"format": "brief"},
    )
    for shown in preview(path, [], quiet=True).shown:
        better = {pair.strategy: pair.better for pair in shown.pairs}
        assert better["checked-answer"].endswith("Answer: 5")
        assert better["inject-error"] == f"A strong reply to {shown.instruction}"


def test_the_ten_of_a_labelled_run_are_all_that_is_labelled(tiny_model, tmp_path):
    labels = json.dumps({"category": "advice", "complexity": 5, "expected_words": 20})

    def labelling(body, index):
        asked_for_labels = "Now the JSON object" in body["messages"][-1]["content"]
        return labels if asked_for_labels else writes(body, index)

    model = str(tiny_model)
    with chat_server(labelling, models=(model,)) as server:
        path = written(
            tmp_path,
            tiny_model,
            generator=http(server, model),
            selection={"label": True, "min_complexity": 3, "categories": {"advice": 30}},
        )
        found = preview(path, [], quiet=True)
        labelled = [b for b in server.bodies if "JSON object" in b["messages"][-1]["content"]]
    assert len(labelled) == 10
    assert found.instructions == 30
    assert found.estimate[0].requests[0] < found.estimate[0].requests[1]


def test_a_judge_that_leaves_nothing_to_train_on_is_shown_all_the_same(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, judges="never")
    found = preview(path, [], quiet=True)
    assert "The judge stated no verdict" in found.problem
    assert found.row is None
    shown = next(shown for shown in found.shown if shown.pairs)
    assert [j.text for j in shown.pairs[0].judgments] == ["Hard to say."] * 2
    assert found.estimate[1].requests[0] > 0


def test_a_server_without_answers_ends_it_with_the_probes_words(tiny_model, tmp_path, temporary):
    model = str(tiny_model)
    with chat_server(lambda *_: "", models=(model,)) as server:
        path = written(tmp_path, tiny_model, generator=http(server, model))
        with pytest.raises(EngineError, match="all replies are empty"):
            preview(path, [], quiet=True)
        assert len(server.bodies) == 8
    assert list(temporary.iterdir()) == []


def test_what_the_run_refuses_the_preview_refuses_before_anything_is_asked(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, pairs={"strategies": ["unknown"]})
    with pytest.raises(ConfigError, match=r"pairs\.strategies"):
        preview(path, [], quiet=True)
    path = written(
        tmp_path,
        tiny_model,
        iterations=2,
        judge={"model": "m", "engine": "http", "options": {"base_url": "http://127.0.0.1:9/v1"}},
    )
    with pytest.raises(ConfigError, match="cannot judge with the model that was trained first"):
        preview(path, [], quiet=True)


def test_a_local_judge_is_previewed_with_verdicts_forced_after_what_it_writes(tiny_model, tmp_path):
    path = written(
        tmp_path,
        tiny_model,
        judge={"model": str(tiny_model), "engine": "local"},
        generator={"model": "none", "engine": "fake"},
        judging={
            "format": "brief",
            "samples": 3,
            "max_new_tokens": 12,
            "force_verdict": True,
            "temperature": 3.0,
        },
    )
    found = preview(path, [], quiet=True)
    judgments = [j for shown in found.shown for pair in shown.pairs for j in pair.judgments]
    assert judgments
    assert all(j.forced and j.verdict for j in judgments)
    low, high = found.estimate[1].requests
    assert 0 < low < high
    assert found.estimate[1].seconds[0] > 0
    assert found.row.prompt.endswith("<|im_start|>assistant\n")
