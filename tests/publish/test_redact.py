"""Redaction and the check behind it: what the one replaces the other would refuse."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.publish.files import Repository, refuse_private
from ste_plugin.publish.redact import Redactor, find_private

RUN = Path("/data/teams/judges/run-7")
PIECES = (
    *(
        "sk-proj-4fJ9dQ2mXw8Lr5Tz7Yb3",
        "hf_abcdefghij0123456789KLMNOPQRST99",
        "AKIAQ3EXAMP1EK7ZB4WD",
    ),
    *("password=", "api_key: ", "Tr0ub4dor&3xyz9", "://ada:s3cr3tpw@host"),
    *("/home/alice/notes", "/Users/Bob.Smith/x", "C:\\Users\\ada\\x", "/home/user/x"),
    *(str(RUN), f"{RUN}/iter-01", str(Path.home()), str(Path.cwd()), "/tmp", "~"),
    *(" ", "\n", '"', "'", "\\", "/", ".", "-", "x", "é", "<", ">", "=", ":", "[", "\t"),
)


def texts():
    return st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join)


@given(texts())
def test_nothing_that_the_check_refuses_is_left_by_redaction(text):
    redacted = Redactor({RUN: "run"}).text(text)
    assert list(find_private(redacted, [RUN])) == []


@given(texts())
def test_nor_is_it_in_a_row_as_it_is_written(text):
    row = Redactor({RUN: "run"}).value({"messages": [{"content": text}]}, of_data=True)
    line = json.dumps(row, ensure_ascii=False).encode()
    refuse_private([Repository("dataset", {"sft/train.jsonl": line})], [RUN])


@given(texts())
def test_redacting_twice_changes_nothing_more(text):
    once = Redactor({RUN: "run"}).text(text)
    assert Redactor({RUN: "run"}).text(once) == once


@given(st.text())
def test_a_text_without_anything_private_stays_as_it_is(text):
    if not list(find_private(text, [RUN])):
        assert Redactor({RUN: "run"}).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "cd /home/user/project and /home/ubuntu/x, /Users/username/y",
        "https://example.com/home/alice/page",
        "/data/teams/judges/run-70 and /tmp/x",
        "sk-learn-a-new-language-now, password: <your password>",
    ],
)
def test_what_only_looks_private_is_left_alone(text):
    assert Redactor({RUN: "run"}).text(text) == text
    assert list(find_private(text, [RUN])) == []
