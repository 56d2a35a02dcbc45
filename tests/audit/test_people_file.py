"""Pairs labelled by people: every way to write down who said what, and what is refused."""

import csv
import json

import pytest

from ste_plugin.audit.people_file import read_people
from ste_plugin.errors import DataError
from tests.helpers.labelled_rows import ASKED, BETTER, ONE_TURN

PAIR = {"id": "p", "prompt": "Why?", "chosen": "Because.", "rejected": "No."}
LETTERS = {"id": "p", "prompt": "Why?", "response_a": "Because.", "response_b": "No."}


def written(folder, *rows, name="people.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("row", "votes"),
    [
        (PAIR, (1, 0, 0)),
        (PAIR | {"votes": [2, 1, 3]}, (2, 1, 3)),
        (PAIR | {"votes": {"chosen": 2, "tie": 1}}, (2, 0, 1)),
        (PAIR | {"labels": {"ann": "chosen", "ben": "Rejected", "cy": "tie"}}, (1, 1, 1)),
        (PAIR | {"labels": {"ann": "worse", "ben": "worse"}}, (0, 2, 0)),
        (LETTERS | {"label": "A"}, (1, 0, 0)),
        (LETTERS | {"labels": {"ann": "B", "ben": "tie"}}, (0, 1, 1)),
        (LETTERS | {"votes": [1, 4, 0]}, (1, 4, 0)),
    ],
)
def test_what_each_person_said_is_counted(tmp_path, row, votes):
    people = read_people(written(tmp_path, row))["p"]
    assert people.votes == votes
    assert (people.pair.chosen, people.pair.rejected) == ("Because.", "No.")


def test_a_label_b_names_the_chosen_one_and_votes_for_b_are_for_it(tmp_path):
    row = LETTERS | {"label": "B", "labels": {"ann": "B", "ben": "B", "cy": "A"}}
    people = read_people(written(tmp_path, row))["p"]
    assert (people.pair.chosen, people.votes) == ("No.", (2, 1, 0))


@pytest.mark.parametrize(
    ("votes", "preferred"),
    [((2, 1, 0), 0), ((1, 2, 5), None), ((1, 2, 0), 1), ((1, 1, 0), None), ((0, 0, 3), None)],
)
def test_most_people_prefer_one_answer_or_none(tmp_path, votes, preferred):
    path = written(tmp_path, PAIR | {"votes": votes})
    assert read_people(path)["p"].preferred == preferred


def test_in_csv_they_are_json(tmp_path):
    with (tmp_path / "people.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*PAIR, "labels"])
        writer.writeheader()
        writer.writerow(PAIR | {"labels": '{"ann": "chosen", "ben": "tie"}'})
    assert read_people(tmp_path / "people.csv")["p"].votes == (1, 0, 1)


def test_labels_of_a_review_are_read_as_they_are(tmp_path):
    rows = [
        {"rater": rater, "kind": "pair", "pair_key": "k", "choice": choice}
        for rater, choice in (("ann", "worse"), ("ben", "better"), ("ann", "better"))
    ]
    people = read_people(written(tmp_path, *rows))["k"]
    assert (people.votes, people.pair) == ((2, 0, 0), None)


def test_pairs_that_nobody_labelled_are_left_out(tmp_path):
    path = written(tmp_path, LETTERS, PAIR | {"id": "q"})
    assert list(read_people(path)) == ["q"]


@pytest.mark.parametrize("empty", [{"labels": None}, {"votes": None}, {"labels": ""}, {}])
def test_beside_labels_of_others_a_pair_that_nobody_labelled_has_none(tmp_path, empty):
    labelled = PAIR | {"id": "q", "labels": {"ann": "rejected"}}
    for rows in ((PAIR | empty, labelled), (labelled, PAIR | empty)):
        people = read_people(written(tmp_path, *rows))
        assert {key: each.preferred for key, each in people.items()} == {"q": 1}
    by_label = LETTERS | {"id": "r", "label": "A"}  # which is what one person said
    assert list(read_people(written(tmp_path, by_label, labelled))) == ["r", "q"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([LETTERS], "people.jsonl: no pair with a label; expected"),
        ([PAIR, PAIR], "id 'p' was already at"),
        ([PAIR | {"votes": [1, 0, 0], "labels": {"ann": "tie"}}], "both 'labels' and 'votes'"),
        ([PAIR | {"votes": [1, 0]}], "'votes' is '[1, 0]'; expected as [2, 1, 0]"),
        ([PAIR | {"votes": [0, 0, 0]}], "expected as [2, 1, 0]: how many said chosen, rejected"),
        ([PAIR | {"votes": [1.5, 0, 0]}], "expected as [2, 1, 0]"),
        ([LETTERS | {"labels": {"ann": "first"}}], "what each said, A, B or tie"),
        ([PAIR | {"labels": "chosen"}], "'labels' is 'chosen'; expected as"),
        ([{"id": "p", "votes": [1, 0, 0]}], "no column 'chosen', 'rejected'; found 'id'"),
    ],
)
def test_what_is_no_label_is_refused_with_its_place(tmp_path, rows, told):
    with pytest.raises(DataError) as caught:
        read_people(written(tmp_path, *rows))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "shape", ["chatbot-arena", "helpsteer3", "skywork", "ppe-human-preference"]
)
def test_votes_in_the_shapes_in_which_they_are_published_are_labels_too(tmp_path, shape):
    (people,) = read_people(written(tmp_path, *ONE_TURN[shape])).values()
    assert people.votes == (1, 0, 0)
    assert (people.pair.prompt, people.pair.chosen) == (ASKED, BETTER)
