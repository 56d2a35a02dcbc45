"""What several people said of a pair is its label, wherever labelled pairs are read."""

import json

import pytest

from ste_plugin.audit.people_file import read_people
from ste_plugin.errors import DataError
from ste_plugin.labelled import read_labelled

TEXTS = {"prompt": "Name a fruit."}
CHOSEN = TEXTS | {"chosen": "A pear.", "rejected": "A spade."}
LETTERS = TEXTS | {"response_a": "A pear.", "response_b": "A spade."}
PEAR, SPADE, TIE = ("A pear.", (1, 0, 0)), ("A spade.", (1, 0, 0)), ("A pear.", (0, 0, 1))


def read(folder, *rows):
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps({"id": str(i)} | r) + "\n" for i, r in enumerate(rows)))
    return path, [(pair.chosen, pair.votes) for pair in read_labelled(path)]


@pytest.mark.parametrize(
    ("row", "label"),
    [
        (CHOSEN | {"labels": {"ann": "rejected", "ben": "rejected"}}, SPADE),
        (CHOSEN | {"labels": {"ann": "rejected", "ben": "chosen", "cy": "chosen"}}, PEAR),
        (CHOSEN | {"labels": {"ann": "rejected", "ben": "chosen"}}, TIE),
        (CHOSEN | {"votes": [1, 4, 0]}, SPADE),
        (CHOSEN | {"votes": {"rejected": 2, "tie": 1}}, SPADE),
        (CHOSEN | {"labels": '{"ann": "worse"}'}, SPADE),
        (LETTERS | {"labels": {"ann": "B"}}, SPADE),
        (LETTERS | {"labels": {"ann": "A", "ben": "tie", "cy": "tie"}}, TIE),
        (LETTERS | {"label": "B", "labels": {"ann": "A", "ben": "A", "cy": "B"}}, PEAR),
        (LETTERS | {"score_a": 1, "score_b": 9, "labels": {"ann": "A", "ben": "A"}}, PEAR),
        (LETTERS | {"score_a": 1, "score_b": 9, "votes": [1, 2, 0]}, SPADE),
        (LETTERS | {"score_a": 9, "score_b": 1, "votes": {"B": 2}}, SPADE),
    ],
)
def test_what_most_people_say_is_the_label_for_a_judge_that_is_measured_as_for_a_promise(
    tmp_path, row, label
):
    path, found = read(tmp_path, row)
    assert found == [label]
    (people,) = read_people(path).values()
    preferred = {0: people.pair.chosen, 1: people.pair.rejected}.get(people.preferred)
    assert preferred == (None if label == TIE else label[0])


@pytest.mark.parametrize(
    "other",
    [
        {"labels": ["maths", "long"]},
        {"labels": {"topic": "food"}},
        {"votes": 15},
        {"labels": "food"},
    ],
)
def test_a_column_of_another_meaning_says_nothing(tmp_path, other):
    assert read(tmp_path, CHOSEN | other)[1] == [PEAR]


def test_a_label_beside_an_empty_column_of_people_is_one(tmp_path):
    labelled = LETTERS | {"labels": {"ann": "A"}}
    path, found = read(tmp_path, LETTERS | {"label": "B", "labels": None}, labelled)
    assert found == [SPADE, PEAR]
    assert [each.preferred for each in read_people(path).values()] == [0, 0]


@pytest.mark.parametrize("empty", [{"labels": None}, {"labels": ""}, {}])
def test_a_pair_of_which_nobody_said_anything_has_no_label_where_others_have_one(tmp_path, empty):
    unlabelled, labelled = CHOSEN | empty, CHOSEN | {"labels": {"ann": "rejected"}}
    for rows in ((unlabelled, labelled), (labelled, unlabelled)):
        _, found = read(tmp_path, *rows)
        assert set(found) == {SPADE, ("A pear.", (0, 0, 0))}
    assert read(tmp_path, unlabelled)[1] == [PEAR]  # a column that nobody filled says nothing


def test_a_tie_that_a_file_of_peoples_labels_has_is_what_one_person_said(tmp_path):
    path, _ = read(tmp_path, CHOSEN | {"status": "tie"}, CHOSEN | {"prompt": "Name a tool."})
    assert [each.votes for each in read_people(path).values()] == [(0, 0, 1), (1, 0, 0)]


def test_a_word_of_one_person_that_is_no_side_is_refused_with_its_place(tmp_path):
    with pytest.raises(DataError, match=r"pairs.jsonl:1: 'labels' is .*what each said, chosen"):
        read(tmp_path, CHOSEN | {"labels": {"ann": "chosen", "ben": "chosn"}})
