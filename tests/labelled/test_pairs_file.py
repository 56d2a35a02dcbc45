"""Files of labelled pairs: what is read, and that errors say where and what to do."""

import json

import pytest

from ste_plugin.errors import DataError
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.figures import summarise
from ste_plugin.lm_eval_tasks.replies import read_replies
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


@pytest.mark.parametrize("label", ["C", "AB", "2", 1])
def test_a_label_that_is_neither_is_refused(tmp_path, label):
    told = refusal(written(tmp_path, row(), unordered(id="p1", label=label)))
    assert "pairs.jsonl:2: 'label' is" in told and "expected 'A' or 'B'" in told


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"winner": "B"}, "An apple."),
        ({"winner": "model_b"}, "An apple."),
        ({"winner": "response_b"}, "An apple."),
        ({"winner": "model_a", "label": None}, "A spade."),
        ({"winner": "model_b", "label": "B"}, "An apple."),
    ],
)
def test_a_winner_is_a_label(tmp_path, columns, chosen):
    (pair,) = read_labelled_pairs(written(tmp_path, unordered(**columns)))
    assert (pair.chosen, pair.votes) == (chosen, (1, 0, 0))


@pytest.mark.parametrize("column", ["label", "winner"])
def test_a_persons_tie_is_a_vote_for_neither(tmp_path, column):
    (pair,) = read_labelled_pairs(written(tmp_path, unordered(**{column: "tie"})))
    assert (pair.chosen, pair.votes) == ("A spade.", (0, 0, 1))


def test_a_judge_agrees_with_a_tie_by_no_preference_over_both_orders(tmp_path):
    path = written(tmp_path, unordered(label="B"), unordered(id="p1", label="tie"))
    settings = JudgeSettings(path, "verdict")
    pairs = read_pairs(settings)
    for on_the_tie, agreement in ((("A", "A"), 1.0), (("A", "B"), 0.5)):
        judged = [
            read_replies(pair, [f"[[{x}]]" for x in said], VERDICT, settings)
            for pair, said in zip(pairs, (("A", "B"), on_the_tie), strict=True)
        ]
        told = summarise(judged, settings=settings)["overall"]
        assert (told["acc"], told["agreement"]) == (1.0, agreement)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"winner": "gpt-4"}, "'winner' is str 'gpt-4'; expected 'A' or 'B' or 'tie' or"),
        ({"winner": "A", "label": "B"}, "'label' is 'B' and 'winner' is 'A', which are different"),
        ({"winner": "tie", "label": "B"}, "'label' is 'B' and 'winner' is 'tie'"),
        ({"preference": 1}, "found 'preference' and no 'label'. Rename the column that says"),
        ({"better": "A", "gold": "B"}, "found 'better', 'gold' and no 'label'"),
        ({"Label": "B"}, "found 'Label' and no 'label'"),
        ({"winner ": "model_b"}, "found 'winner ' and no 'label'"),
        ({"human_preference": "b"}, "found 'human_preference' and no 'label'"),
        ({"overall_preference": -2}, "found 'overall_preference' and no 'label'"),
        ({"preferred_response": "response_b"}, "found 'preferred_response' and no 'label'"),
        ({"label_index": "1"}, "found 'label_index' and no 'label'"),
        ({"vote": "A"}, "found 'vote' and no 'label'"),
        ({"annotation": "A"}, "found 'annotation' and no 'label'"),
        ({"annotator_1": "A", "annotator_2": "B"}, "found 'annotator_1', 'annotator_2' and no"),
    ],
)
def test_what_says_otherwise_which_response_is_better_is_never_ignored(tmp_path, columns, told):
    assert f"pairs.jsonl:2: {told}" in refusal(
        written(tmp_path, row(), unordered(id="p1", **columns))
    )


def test_columns_that_only_sound_like_a_label_are_ignored_and_unlabelled_pairs_told(
    tmp_path, caplog
):
    columns = {"chosen_by": "Kim", "label_source": "none yet", "order": "A", "annotator_id": 7}
    (pair,) = read_labelled_pairs(written(tmp_path, unordered(**columns)))
    assert pair.votes == (0, 0, 0)
    assert "1 of 1 pairs have no label, so they count in consistency" in caplog.text


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("label", "A"),
        ("winner", "model_a"),
        ("winner", "rejected"),
        ("Label", "b"),
        ("verdict", "Assistant B"),
    ],
)
def test_a_verdict_beside_chosen_and_rejected_is_refused(tmp_path, column, said):
    told = refusal(written(tmp_path, row(**{column: said})))
    assert f"pairs.jsonl:1: found {column!r} ({said!r}) beside 'chosen' and 'rejected'" in told


def test_a_label_of_another_kind_beside_chosen_and_rejected_is_ignored(tmp_path):
    (pair,) = read_labelled_pairs(written(tmp_path, row(label="fruit", winner="gpt-4")))
    assert (pair.chosen, pair.votes) == ("An apple.", (1, 0, 0))


def test_two_equal_responses_are_refused_without_a_label_as_well(tmp_path):
    assert "same text" in refusal(written(tmp_path, unordered(response_a="An apple. ")))


@pytest.mark.parametrize(
    "changes",
    [
        {"response_a": "A spade.", "response_b": "An apple."},
        {"response_a": "A spade.", "response_b": "An apple.", "label": "B"},
        {"response_a": "A spade."},
        {"rejected": ..., "response_a": "A spade.", "response_b": "An apple."},
        {"chosen": "A", "rejected": None, "response_a": "A spade.", "response_b": "An apple."},
    ],
)
def test_a_row_of_both_kinds_is_refused_and_all_its_columns_named(tmp_path, changes):
    found = row(**changes)
    told = refusal(written(tmp_path, found))
    columns = ("chosen", "rejected", "response_a", "response_b")
    named = ", ".join(repr(column) for column in columns if found.get(column))
    assert f"pairs.jsonl:1: found {named}; expected either chosen and rejected, or" in told


@pytest.mark.parametrize("absent", [None, ""])
def test_a_file_may_hold_rows_of_both_kinds_with_columns_that_do_not_apply_empty(tmp_path, absent):
    first = row(response_a=absent, response_b=absent, label=absent)
    second = unordered(id="p1", label="B") | {"chosen": absent, "rejected": absent}
    pairs = read_labelled_pairs(written(tmp_path, first, second))
    assert {(pair.chosen, pair.rejected, pair.votes) for pair in pairs} == {
        ("An apple.", "A spade.", (1, 0, 0))
    }


TWO_TURNS = '["What is a fjord?", "And a cove?"]'


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("prompt", TWO_TURNS),
        ("prompt", '["What is a fjord?", null]'),
        ("prompt", '["What is a fjord?"]'),
        ("prompt", " ['What is a fjord?' \"Who's there?\"]\n"),
        ("prompt", "[{'role': 'user', 'content': 'What is a fjord?'}]"),
        ("chosen", '["A long inlet.", null]'),
        ("rejected", "['A hill.', None]"),
        ("rejected", "[null]"),
        ("chosen", "[{'content': 'Q', 'role': 'user'}, {'content': 'A', 'role': 'assistant'}]"),
        ("rejected", "[{'from': 'human', 'value': 'Q'}, {'from': 'gpt', 'value': 'A'}]"),
    ],
)
def test_a_list_of_turns_written_as_text_is_refused_like_a_list(tmp_path, column, text):
    told = refusal(written(tmp_path, row(), row(id="p1", **{column: text})))
    assert f"pairs.jsonl:2: {column!r} is a list written as text, {text[:40]!r}" in told


def test_of_a_row_of_turns_the_prompt_is_named_first(tmp_path):
    lists = {"response_a": '["A long inlet.", null]', "response_b": '["A hill.", "A bay."]'}
    told = refusal(written(tmp_path, unordered(prompt=TWO_TURNS, label="A", **lists)))
    assert "pairs.jsonl:1: 'prompt' is a list written as text" in told


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ('["apple", "pear", "fig"]', '["apple"]'),
        ('["apple", "pear"]', "apple, pear"),
        ("[1, null, 2]", "[]"),
        ('[{"name": "Ann", "role": "admin"}]', '[{"content": null}]'),
        ('Here it is: ["apple", null]', '["apple", null'),
    ],
)
def test_a_list_can_be_just_what_was_asked_for(tmp_path, chosen, rejected):
    prompt = 'Give me a JSON list of fruits, as in ["plum", null].'
    (pair,) = read_labelled_pairs(
        written(tmp_path, row(prompt=prompt, chosen=chosen, rejected=rejected))
    )
    assert (pair.prompt, pair.chosen, pair.rejected) == (prompt, chosen, rejected)
