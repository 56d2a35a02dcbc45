"""Search in the words of questions, answers and judgments."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.queries import Filter, count, items
from ste_plugin.view.words import add_words, apart, to_match, words_path
from tests.helpers import viewed_runs as runs
from tests.helpers.viewed_folders import opened


def found(folder, query):
    with folder.connect() as db:
        listed = items(db, Filter(q=query), limit=1000)
        assert count(db, Filter(q=query)).total == len(listed)
        return {(item.judge, item.on, item.key) for item in listed}


def test_judgments_are_found_by_words_phrases_and_beginnings(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder:
        to_seed = {("iter-00", "test")}
        assert {place[:2] for place in found(folder, "seed")} == to_seed
        assert {place[:2] for place in found(folder, '"question to the seed"')} == to_seed
        assert found(folder, '"seed the to"') == set()
        assert {place[:2] for place in found(folder, "SEE*")} == to_seed
        friendlier, without = found(folder, "friendlier"), found(folder, "friendlier -seed")
        assert without and without == {p for p in friendlier if p[0] != "iter-00"}


def test_questions_and_answers_are_found_in_every_round(tmp_path):
    pairs = runs.write_run(tmp_path, worse="Nobody knows the zebra.")
    with opened(tmp_path) as folder:
        key = pairs[0].key
        assert found(folder, "zebra") == {("iter-01", "train", key), ("iter-02", "train", key)}


def test_what_was_thought_is_found(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder:
        assert {place[1] for place in found(folder, "which one")} == {"train"}


def test_languages_without_spaces_are_searched_by_characters(tmp_path):
    pairs = runs.write_run(tmp_path, instruction="請解釋潮汐的原因")
    with opened(tmp_path) as folder:
        assert {key for *_, key in found(folder, "潮汐")} == {pairs[0].key}
        assert found(folder, "汐潮") == set()


def test_words_of_a_further_round_are_added(tmp_path):
    pairs = runs.write_run(tmp_path / "run", 8, 4)
    (tmp_path / "run/iter-02").rename(tmp_path / "later")
    with opened(tmp_path / "run") as folder:
        assert found(folder, '"to the second"') == set()
        (tmp_path / "later").rename(tmp_path / "run/iter-02")
        assert folder.refresh()
        folder.wait_for_words()
        assert {key for *_, key in found(folder, '"to the second"')} == {p.key for p in pairs[4:]}
        assert len(found(folder, "seed")) == 4


def test_words_that_were_stopped_or_damaged_are_made_again(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder:
        path = words_path(folder.index)
        path.write_bytes(b"damaged")
        assert not folder.has_words()
        add_words(folder.index, folder.texts, lambda _: None, lambda: True)
        assert not folder.has_words()
        add_words(folder.index, folder.texts, lambda _: None, lambda: False)
        assert folder.has_words()
        assert found(folder, "seed")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("longer answer", '"longer" AND "answer"'),
        ('"final verdict" b', '"final verdict" AND "b"'),
        ("verb*", '"verb"*'),
        ("-tie", ""),
        ("tie -tie", '"tie" NOT "tie"'),
        ('"', ""),
        ("NEAR(a b)", '"NEAR(a" AND "b)"'),
    ],
)
def test_a_query_is_words_whatever_signs_are_in_it(typed, expected):
    assert to_match(typed) == expected


@given(st.text(max_size=40))
def test_no_query_is_a_syntax_error(text):
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE said USING fts5(words, content='')")
        db.execute("INSERT INTO said (rowid, words) VALUES (1, ?)", (apart("a 中文 b"),))
        if match := to_match(text):
            hits = db.execute("SELECT rowid FROM said WHERE said MATCH ?", (match,)).fetchall()
            assert hits in ([], [(1,)])


def test_two_viewers_of_one_run_end_up_with_one_index(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as first:
        shutil.rmtree(tmp_path / ".view")
        with opened(tmp_path) as second:
            assert not first.has_words()
            assert first.refresh()
            first.wait_for_words()
            assert found(first, "seed") == found(second, "seed") != set()


def test_a_folder_that_is_closed_stops_making_words(tmp_path):
    runs.write_run(tmp_path)
    folder = IndexedFolder(tmp_path, lambda _: None)
    folder.start_words()
    folder.close()
    with opened(tmp_path) as again:
        assert again.has_words()
