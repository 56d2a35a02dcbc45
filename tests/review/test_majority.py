"""What most people say: the same to the audit, the review, the data set and the viewer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.people_file import read_people
from ste_plugin.dataset.reviewed import find_wrong
from ste_plugin.review.labels import labels_path
from ste_plugin.review.majority import most_say
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.view.people import PeopleLabels

DECIDED = [
    ((0, 1, 9), 0),
    ((1, 0, 2), 0),
    ((2, 2, 0), 0),
    ((2, 1, 0), 1),
    ((0, 0, 3), 0),
    ((1, 2, 0), -1),
    ((1, 0, 1), 0),
    ((2, 0, 1), 1),
    ((2, 1, 1), 0),
]


@pytest.mark.parametrize(("votes", "most"), DECIDED)
def test_more_than_half_of_all_labels_decide(votes, most):
    assert most_say(*votes) == most


@pytest.mark.parametrize(("votes", "most"), DECIDED)
def test_all_who_ask_are_told_the_same(tmp_path, votes, most):
    rows = [
        {"rater": f"{choice} {n}", "kind": "pair", "pair_key": "k", "choice": choice}
        for choice, count in zip(("better", "worse", "tie"), votes, strict=True)
        for n in range(count)
    ]
    path = labels_path(RunLayout(tmp_path))
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_people(path)["k"].preferred == {1: 0, 0: None, -1: 1}[most]
    assert find_wrong(path, ["k"]).wrong == (("k",) if most < 0 else ())
    assert PeopleLabels()(tmp_path) == {"k": most}


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_the_answers_may_change_places_and_a_tie_more_never_decides(better, worse, ties):
    assert most_say(worse, better, ties) == -most_say(better, worse, ties)
    assert most_say(better, worse, ties + 1) in (0, most_say(better, worse, ties))
