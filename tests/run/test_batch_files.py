"""Waves in files: the same data set as over HTTP, whoever answers them, in whatever order."""

import json
import re
from pathlib import Path

import pytest

from ste_plugin.errors import ConfigError, DataError, JudgeError
from ste_plugin.inference.completion_store import CompletionStore
from tests.helpers.batch_farm import (
    answer,
    answered_in_parts,
    by_files,
    exported,
    imported,
    of_two_choices,
    refusal,
    requests_in,
    write,
)
from tests.helpers.chat_server import Said, chat_server
from tests.helpers.said_runs import by_http, config_in, made, says


@pytest.fixture(scope="module")
def over_http(tiny_model, tmp_path_factory):
    """What becomes of the run over HTTP, and the bodies that its server was sent."""
    folder = tmp_path_factory.mktemp("http")
    with chat_server(says, models=(str(tiny_model),)) as server:
        path = config_in(folder, tiny_model, server.base_url)
        by_http(path)
    return made(path), server.bodies


def test_a_data_set_by_files_is_that_over_http_to_the_byte(over_http, tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    waves = by_files(path)
    expected, bodies = over_http
    assert made(path) == expected
    assert waves[:2] == [
        "writing answers",
        "writing worse answers (modified-instruction-two-calls)",
    ]
    assert waves.count("judging") > 2  # it stops early, wave by wave
    asked = [r["body"] for folder in tmp_path.glob("wave-*") for r in requests_in(folder)]
    assert sorted(map(json.dumps, asked)) == sorted(map(json.dumps, bodies))


def test_lines_that_failed_are_named_and_asked_again_and_change_nothing(
    over_http, tiny_model, tmp_path
):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "first")
    files = answered_in_parts(tmp_path / "first", says, fails=lambda r: r["custom_id"] < "2")
    found = imported(path, files)
    failed = [r["custom_id"] for r in requests_in(tmp_path / "first") if r["custom_id"] < "2"]
    assert found.left == len(failed) > 0
    assert len(found.unanswered) == len(failed)
    assert all("HTTP 500: out of memory" in line for line in found.unanswered)
    assert exported(path, tmp_path / "again").samples == len(failed)
    assert sorted(r["custom_id"] for r in requests_in(tmp_path / "again")) == sorted(failed)
    imported(path, answered_in_parts(tmp_path / "again", says))
    by_files(path)
    assert made(path) == over_http[0]


def test_parts_may_come_one_by_one_and_twice(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    one, two, three = answered_in_parts(tmp_path / "wave", says)
    counts = [imported(path, files) for files in ([two], [two, one], [one, two, three], [three])]
    assert [c.imported for c in counts] == [14, 14, 13, 0]
    assert [c.left for c in counts][:2] == [27, 13]
    assert counts[2].stage != "writing answers"


def test_of_two_answers_to_one_request_the_first_counts(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    first = answered_in_parts(tmp_path / "wave", says, parts=1)
    other = write(
        tmp_path / "other.jsonl",
        [answer(r, lambda *_: "Another answer.") for r in requests_in(tmp_path / "wave")],
    )
    imported(path, [*first, other])
    file = path.parent / "run/pool/pairs.completions.jsonl"
    assert "Another answer" not in file.read_text()


def test_answers_to_other_weights_are_refused_by_line_and_nothing_is_imported(tiny_model, tmp_path):
    path = config_in(tmp_path / "one", tiny_model)
    other = config_in(tmp_path / "other", tiny_model, revision="later", omit=["seed"])
    exported(path, tmp_path / "wave")
    (answers,) = answered_in_parts(tmp_path / "wave", says, parts=1)
    with pytest.raises(
        DataError,
        match=r"(?s)41 of 41 answers are of requests that this run does "
        r"not ask, the first:\n  .*answers-0.jsonl:1: '[0-9a-f]{16}-0'\n",
    ):
        imported(other, [answers])
    assert not CompletionStore(other.parent / "run/pool/pairs.completions.jsonl").size


def test_an_unknown_line_among_good_ones_is_named_and_the_good_ones_are_kept(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    (answers,) = answered_in_parts(tmp_path / "wave", says, parts=1)
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    write(answers, [*rows[:3], rows[3] | {"custom_id": "mine"}, *rows[4:]])
    with pytest.raises(DataError, match=r"1 of 41.*\n  .*answers-0.jsonl:4: 'mine'"):
        imported(path, [answers])
    assert exported(path, tmp_path / "next").samples == 1


def test_a_wave_of_bad_answers_is_refused_as_over_http(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    files = answered_in_parts(tmp_path / "wave", lambda *_: "The very same reply to all of them.")
    with pytest.raises(Exception, match="all got the very same reply"):
        imported(path, files)
    assert exported(path, tmp_path / "again").samples == 41


def test_prompts_that_are_too_long_are_answers_unless_all_are(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    rows = requests_in(tmp_path / "wave")
    long = [refusal(r, 400, "maximum context length is 512 tokens") for r in rows]
    with pytest.raises(DataError, match="all 41 prompts of the given files are refused"):
        imported(path, [write(tmp_path / "all.jsonl", long)])
    some = write(tmp_path / "some.jsonl", long[:9])
    others = write(tmp_path / "others.jsonl", [answer(r, says) for r in rows[9:]])
    found = imported(path, [some, others])
    assert (found.imported, found.stage) == (
        41,
        "writing worse answers (modified-instruction-two-calls)",
    )


def test_a_last_line_that_is_cut_off_is_left_out(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    (answers,) = answered_in_parts(tmp_path / "wave", says, parts=1)
    whole = answers.read_bytes()
    answers.write_bytes(whole[:-20])
    found = imported(path, [answers])
    assert (found.imported, found.cut_off) == (40, [f"{answers}:41"])
    answers.write_bytes(whole[:-1])
    assert imported(path, [answers]).imported == 1


def test_an_import_that_breaks_off_is_repeated(over_http, tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    files = answered_in_parts(tmp_path / "wave", says)
    store = path.parent / "run/pool/pairs.completions.jsonl"
    imported(path, files)
    whole = store.read_bytes()
    store.write_bytes(whole[: len(whole) // 2])
    assert 0 < imported(path, files).imported < 41
    by_files(path)
    assert made(path) == over_http[0]


def test_all_answers_together_rebuild_a_run_that_was_lost(over_http, tiny_model, tmp_path):
    path = config_in(tmp_path / "lost", tiny_model)
    by_files(path)
    files = sorted(path.parent.glob("wave-*/answers-*.jsonl"), reverse=True)
    again = config_in(tmp_path / "again", tiny_model)
    assert imported(again, files).left == 0
    assert made(again) == over_http[0]


def test_files_are_as_small_as_is_asked(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    wave = exported(path, tmp_path / "few", requests=10)
    sizes = [len(Path(f).read_text().splitlines()) for f in wave.files]
    assert sizes == [10, 10, 10, 10, 1]
    wave = exported(path, tmp_path / "small", bytes=3000)
    assert len(wave.files) > 1
    assert all(Path(f).stat().st_size <= 3000 for f in wave.files)
    assert [r["custom_id"] for r in requests_in(tmp_path / "few")] == [
        r["custom_id"] for r in requests_in(tmp_path / "small")
    ]
    with pytest.raises(ConfigError, match="one request alone has"):
        exported(path, tmp_path / "none", bytes=30)
    assert not (tmp_path / "none").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_used_up_budget_exports_nothing(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    imported(path, answered_in_parts(tmp_path / "wave", says))
    with path.open("a") as file:
        file.write("budget: {max_tokens_total: 5}\n")
    with pytest.raises(ConfigError, match="budget: used up, so that nothing more is asked"):
        exported(path, tmp_path / "next")
    assert not (tmp_path / "next").exists()


def test_verdicts_that_are_forced_are_a_wave_of_their_own(tiny_model, tmp_path):
    def mute(body, index):
        if "structured_outputs" in body:
            return body["structured_outputs"]["choice"][(body["seed"] + index) // 7 % 2]
        return says(body, index) if "[Answer A]" not in body["messages"][-1]["content"] else "Hm."

    settings = {
        "judging": {"force_verdict": True, "samples": 2, "sampling": "fixed"},
        "prefill": "vllm",
    }
    with chat_server(mute, models=(str(tiny_model),)) as server:
        path = config_in(tmp_path / "http", tiny_model, server.base_url, **settings)
        by_http(path)
    expected = made(path)
    path = config_in(tmp_path / "files", tiny_model, **settings)
    waves = by_files(path, lambda folder, _: answered_in_parts(folder, mute))
    assert made(path) == expected
    assert waves[-2:] == ["judging", "judging"]


def test_a_judge_that_states_no_verdict_is_found_on_import(tiny_model, tmp_path):
    def silent(body, index):
        text = body["messages"][-1]["content"]
        return Said("", "stop") if "[Answer A]" in text else says(body, index)

    path = config_in(tmp_path, tiny_model)
    with pytest.raises(JudgeError, match="all replies are empty"):
        by_files(path, lambda folder, _: answered_in_parts(folder, silent))


def test_no_strategy_waits_for_another(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    names = "strategies: [modified-instruction, modified-instruction-two-calls]"
    path.write_text(re.sub(r"strategies:\n(  - .*\n)+", names + "\n", path.read_text()))
    exported(path, tmp_path / "answers")
    answers = imported(path, answered_in_parts(tmp_path / "answers", says))
    assert answers.left == 2 * 40
    assert exported(path, tmp_path / "both").samples == 2 * 40
    second = imported(path, answered_in_parts(tmp_path / "both", says))
    assert second.left == 40  # the second calls of the one that has two


def test_fewer_samples_than_were_asked_for_are_asked_again(tiny_model, tmp_path):
    judging = {"samples": 3, "sampling": "fixed"}
    path = config_in(tmp_path / "files", tiny_model, judging=judging)
    waves = by_files(path, of_two_choices)
    assert waves.count("judging") == 2
    with chat_server(says, models=(str(tiny_model),)) as server:
        other = config_in(tmp_path / "http", tiny_model, server.base_url, judging=judging)
        by_http(other)
    a, b = ((p.parent / "run/iter-01/judgments.jsonl").read_bytes() for p in (path, other))
    assert a == b
