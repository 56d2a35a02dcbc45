"""One rater's way through a sample: labelled, skipped, undone, resumed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.errors import DataError
from ste_plugin.review.labels import CHOICES, labels_path, read_labels
from ste_plugin.review.population import chosen_splits, find_run
from ste_plugin.review.sample import draw_sample
from ste_plugin.review.session import (
    ReviewSession,
    answers_in_order,
    choice_of,
    number_of,
    shown_order,
)
from tests.helpers.review_runs import labels_in, plain_texts, run_with_pairs


@pytest.fixture
def run(tmp_path):
    return run_with_pairs(tmp_path / "run", plain_texts(12))


def session_of(run, rater="ann", kind="pair"):
    folder, config = find_run(run.root)
    sample = draw_sample(folder, config, kind, chosen_splits(folder, "all"))
    return ReviewSession(labels_path(run), rater, kind, sample.items)


def press(session, number):
    assert session.label(session.current.key, number)


def press_better(session):
    """Choose the better answer, wherever it is shown."""
    press(session, 1 if session.order_of(session.current) == "A" else 2)


def test_choices_are_kept_as_better_and_worse_not_as_they_were_shown(run):
    session = session_of(run)
    for _ in range(11):
        item = session.current
        first, _ = answers_in_order(item, session.order_of(item))
        press(session, 1 if first.startswith("Good") else 2)
    press(session, 0)
    assert session.current is None
    labels = labels_in(run)
    assert [x["choice"] for x in labels] == 11 * ["better"] + ["tie"]
    assert {x["shown"] for x in labels} == {"A", "B"}
    assert all(x["time"].endswith("+00:00") for x in labels)


def test_each_rater_sees_the_same_pairs_in_orders_of_their_own(run):
    ann, bob = session_of(run), session_of(run, "bob")
    assert list(ann.items) == list(bob.items)
    orders = {r: [shown_order(r, key) for key in ann.items] for r in ("ann", "bob")}
    assert orders["ann"] != orders["bob"]
    many = [shown_order("ann", f"p{n}") for n in range(1000)]
    assert 400 < many.count("A") < 600


@pytest.mark.parametrize("kind", ["pair", "judgment"])
@pytest.mark.parametrize("shown", ["A", "B"])
def test_keys_and_choices_are_each_others_inverse(kind, shown):
    assert {choice_of(kind, n, shown) for n in (0, 1, 2)} == set(CHOICES[kind])
    assert [number_of(choice_of(kind, n, shown), kind, shown) for n in (0, 1, 2)] == [0, 1, 2]


def test_a_killed_review_goes_on_where_it_was(run):
    session = session_of(run)
    for _ in range(5):
        press_better(session)
    expected = session.current.key
    again = session_of(run)
    assert (again.done, again.current.key) == (5, expected)
    assert session_of(run, "bob").done == 0


def test_undo_goes_back_as_often_as_there_are_labels_and_appends(run):
    session = session_of(run)
    keys = []
    for _ in range(3):
        keys.append(session.current.key)
        press_better(session)
    session = session_of(run)  # also what was labelled before a restart
    assert session.undo() and session.undo()
    assert session.current.key == keys[1]
    press(session, 0)
    assert [x["choice"] for x in labels_in(run)] == ["better"] * 3 + [None, None, "tie"]
    assert [(x.pair_key, x.choice) for x in read_labels(labels_path(run))] == [
        (keys[0], "better"),
        (keys[1], "tie"),
    ]
    assert session.current.key == keys[2]
    assert session.undo() and session.undo()
    assert not session.undo() and not session.can_undo


def test_what_is_skipped_comes_again_at_the_end_and_can_be_gone_back_to(run):
    session = session_of(run)
    first = session.current.key
    assert session.skip(first)
    assert session.current.key != first
    assert session.undo()
    assert session.current.key == first
    session.skip(first)
    for _ in range(11):
        press_better(session)
    assert session.current.key == first
    assert labels_in(run)[-1]["pair_key"] != first


def test_a_press_that_was_meant_for_another_item_does_nothing(run):
    session = session_of(run)
    first = session.current.key
    press_better(session)
    assert not session.label(first, 2) and not session.skip(first)
    assert session.done == 1


def test_a_label_that_cannot_be_kept_is_not_counted(run):
    session = session_of(run)
    labels_path(run).mkdir(parents=True)
    with pytest.raises(DataError, match="cannot be written|cannot be read"):
        press_better(session)
    assert session.done == 0
    labels_path(run).rmdir()
    press_better(session)
    assert len(labels_in(run)) == session.done == 1


def test_judgments_are_shown_as_the_judge_saw_the_answers(run):
    session = session_of(run, kind="judgment")
    item = session.current
    assert session.order_of(item) == item.judgment.gold
    press(session, 2)
    (label,) = read_labels(labels_path(run))
    assert (label.kind, label.choice, label.judgment_key) == ("judgment", "fails", item.key)
    assert label.pair_key == item.pair.key
    assert session_of(run).done == 0  # of the pair itself nothing was said


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["label", "skip", "undo", "restart"]), max_size=40))
def test_whatever_is_pressed_the_file_says_what_the_page_does(tmp_path_factory, acts):
    run = run_with_pairs(tmp_path_factory.mktemp("r") / "run", plain_texts(4), judged=False)
    session = session_of(run)
    for act in acts:
        item = session.current
        if act == "undo":
            session.undo()
        elif act == "restart":
            session = session_of(run)
        elif item:
            session.label(item.key, 1) if act == "label" else session.skip(item.key)
        assert len(read_labels(labels_path(run))) == session.done
        assert (session.current is None) == (session.done == 4)
