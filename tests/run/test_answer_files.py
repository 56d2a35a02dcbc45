"""Answers of batches as farms and gateways give them: which of several counts, and how they are
wrapped."""

import json

import pytest

from ste_plugin.errors import DataError
from tests.helpers.batch_farm import (
    answer,
    by_files,
    exported,
    imported,
    of_two_choices,
    requests_in,
    write,
)
from tests.helpers.said_runs import config_in, made, says


def spoilt(row, **changes):
    body = row["response"]["body"]
    return {**row, "response": {**row["response"], "body": {**body, **changes}}}


def test_an_answer_that_cannot_be_used_gives_way_to_a_later_one(tiny_model, tmp_path):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    rows = [answer(r, says) for r in requests_in(tmp_path / "wave")]
    broken = [spoilt(r, model="another") for r in rows[:5]]
    broken += [spoilt(r, choices="gone") for r in rows[5:9]] + [
        spoilt(r, choices=[{"finish_reason": "error", "message": {"content": ""}}])
        for r in rows[9:12]
    ]
    files = [write(tmp_path / "one.jsonl", broken), write(tmp_path / "two.jsonl", rows)]
    found = imported(path, files)
    assert (found.imported, found.unanswered) == (len(rows), [])


def test_samples_that_came_later_are_found_in_all_files_together(tiny_model, tmp_path):
    judging = {"samples": 3, "sampling": "fixed"}
    path = config_in(tmp_path / "files", tiny_model, judging=judging)
    by_files(path, of_two_choices)
    again = config_in(tmp_path / "again", tiny_model, judging=judging)
    found = imported(again, sorted(path.parent.glob("wave-*/answers.jsonl")))
    assert found.left == 0
    assert made(again) == made(path)


def as_text(row):
    response = row["response"]
    return {**row, "response": {**response, "body": json.dumps(response["body"])}}


@pytest.mark.parametrize(
    "wrapped",
    [
        as_text,
        lambda row: {**row, "error": {"code": "", "message": ""}},
        lambda row: {**row, "response": row["response"]["body"]},
        lambda row: {**row, "response": {**row["response"], "status_code": "200"}},
        lambda row: {**row, "response": {"body": row["response"]["body"]}},
    ],
    ids=["body as text", "empty error", "no wrapper", "status as text", "no status"],
)
def test_answers_are_taken_as_gateways_wrap_them(tiny_model, tmp_path, wrapped):
    path = config_in(tmp_path, tiny_model)
    exported(path, tmp_path / "wave")
    rows = [wrapped(answer(r, says)) for r in requests_in(tmp_path / "wave")]
    found = imported(path, [write(tmp_path / "answers.jsonl", rows)])
    assert (found.imported, found.unanswered) == (len(rows), [])


def test_answers_of_later_waves_are_told_from_those_of_other_runs(tiny_model, tmp_path):
    path = config_in(tmp_path / "one", tiny_model)
    by_files(path)
    files = sorted(path.parent.glob("wave-*/answers-*.jsonl"))
    lost = next(f for f in files if f.parent.name == "wave-0")
    again = config_in(tmp_path / "again", tiny_model)
    with pytest.raises(
        DataError,
        match="later waves are taken once this one is complete: writing answers, 14 samples",
    ):
        imported(again, [f for f in files if f != lost])
    assert imported(again, files).left == 0
