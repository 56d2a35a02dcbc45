"""Files of labelled pairs: what is read, and that errors say where and what to do."""

import json

import pytest

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.pairs_file import LabelledPair
from ste_plugin.lm_eval_tasks.settings import JudgeSettings


def row(**changes):
    fields = {
        "id": "p0",
        "subset": "s",
        "prompt": "Name a fruit.",
        "chosen": "An apple.",
        "rejected": "A spade.",
    }
    return {key: value for key, value in (fields | changes).items() if value is not ...}


def written(folder, *rows):
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def read_labelled_pairs(path, limit=None):
    return read_pairs(JudgeSettings(path, limit=limit))


def refusal(path):
    with pytest.raises(DataError) as found:
        read_labelled_pairs(path)
    return str(found.value)


def test_other_columns_are_ignored_and_a_number_may_be_an_id(tmp_path):
    path = written(tmp_path, row(id=7, source="somewhere"))
    assert read_labelled_pairs(path) == [
        LabelledPair("7", "s", "Name a fruit.", "An apple.", "A spade.")
    ]


def test_the_limit_keeps_the_first_pairs_but_checks_them_all(tmp_path):
    path = written(tmp_path, row(), row(id="p1"), row(id="p2"))
    assert [p.id for p in read_labelled_pairs(path, limit=2)] == ["p0", "p1"]
    broken = written(tmp_path, row(), row(id="p1"), row(id="p0"))
    with pytest.raises(DataError, match="pairs.jsonl:3"):
        read_labelled_pairs(broken, limit=1)


def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path):
    told = refusal(written(tmp_path, row(), row(id="p1", chosen=..., better="An apple.")))
    assert "pairs.jsonl:2: no column 'chosen'" in told
    assert "'better'" in told


def test_a_duplicate_id_names_both_lines(tmp_path):
    told = refusal(written(tmp_path, row(), row(id="p1"), row()))
    assert "pairs.jsonl:3: id 'p0' was already at" in told and "pairs.jsonl:1" in told


@pytest.mark.parametrize("column", ["id", "subset", "prompt", "chosen", "rejected"])
def test_an_empty_column_is_refused(tmp_path, column):
    assert f"pairs.jsonl:1: {column!r} is empty" in refusal(written(tmp_path, row(**{column: " "})))


@pytest.mark.parametrize("value", [None, ["An apple."], 3.5, True])
def test_a_response_that_is_no_text_is_refused(tmp_path, value):
    assert "'chosen' is" in refusal(written(tmp_path, row(chosen=value)))


def test_equal_responses_are_refused_even_if_spaced_differently(tmp_path):
    assert "are the same text" in refusal(written(tmp_path, row(chosen="A spade.\n")))


def test_half_of_a_surrogate_pair_is_refused(tmp_path):
    assert "no valid Unicode" in refusal(written(tmp_path, row(prompt="\ud83d")))


def test_invalid_utf8_names_file_and_line(tmp_path):
    path = written(tmp_path, row())
    path.write_bytes(path.read_bytes() + b'{"id": "\xff"}\n')
    assert "pairs.jsonl:2: not a JSON object" in refusal(path)


def test_an_empty_file_says_what_was_expected(tmp_path):
    assert "nothing to judge in it" in refusal(written(tmp_path))


def test_a_missing_file_is_named(tmp_path):
    assert "absent.jsonl" in refusal(tmp_path / "absent.jsonl")


def unordered(**changes):
    fields = {"response_a": "A spade.", "response_b": "An apple."} | changes
    return row(chosen=..., rejected=..., **fields)


def test_the_label_says_which_of_two_responses_is_better(tmp_path):
    (pair,) = read_labelled_pairs(written(tmp_path, unordered(label="B")))
    assert (pair.chosen, pair.rejected, pair.votes) == ("An apple.", "A spade.", (1, 0, 0))


@pytest.mark.parametrize("label", [..., None, ""])
def test_without_a_label_nobody_said_which_response_is_better(tmp_path, label):
    (pair,) = read_labelled_pairs(written(tmp_path, unordered(label=label)))
    assert pair.votes == (0, 0, 0)


@pytest.mark.parametrize("label", ["C", "a", "tie", 1])
def test_a_label_that_is_neither_is_refused(tmp_path, label):
    told = refusal(written(tmp_path, row(), unordered(id="p1", label=label)))
    assert "pairs.jsonl:2: 'label' is" in told and "expected 'A' or 'B'" in told


def test_two_equal_responses_are_refused_without_a_label_as_well(tmp_path):
    assert "same text" in refusal(written(tmp_path, unordered(response_a="An apple. ")))
