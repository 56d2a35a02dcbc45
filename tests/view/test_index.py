"""The index: made once, extended, made again where it is damaged, never in the run's way."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from filelock import FileLock

from ste_plugin.errors import DataError
from ste_plugin.storage.jsonl import read_rows, replace_rows
from ste_plugin.view import index as made
from ste_plugin.view.index import INDEX, bring_up_to_date, place_for, remove_place
from ste_plugin.view.schema import OUTCOMES
from tests.helpers import viewed_runs as runs


def update(root):
    """Bring the index up to date; return it and whether something was read for it."""
    shares = []
    found = bring_up_to_date(root, place_for(root), shares.append)
    return found, bool(shares)


def rows(index, query):
    with closing(index.open()) as db:
        return db.execute(query).fetchall()


ITEMS = (
    "SELECT judge, on_pairs, key, outcome, a, b, mixed, changed, drawn, correct FROM item"
    " JOIN source ON source.id = source JOIN pair ON pair.id = pair"
    " ORDER BY judge, on_pairs, key"
)


def test_an_index_is_made_once_and_then_read(tmp_path):
    runs.write_run(tmp_path)
    first, read = update(tmp_path)
    assert read
    again, read = update(tmp_path)
    assert not read
    assert rows(again, ITEMS) == rows(first, ITEMS)


def test_it_says_how_each_order_ended_and_what_changed_since_the_round_before(tmp_path):
    pairs = runs.write_run(tmp_path, 4, 2)
    found = {(judge, key): tuple(rest) for judge, _, key, *rest in rows(update(tmp_path)[0], ITEMS)}
    train, test = pairs[0].key, pairs[2].key
    right, flips, wrong = 0, 1, 2
    # the first sample of an order counts: the later one was drawn since that was wrong
    assert found["iter-01", train] == (flips, 1, -1, 1, None, 3, 2)
    assert found["iter-02", train] == (right, 1, 1, 0, 1, 2, 2)
    assert found["iter-00", test] == (flips, 1, -1, 0, None, 2, None)
    assert found["iter-02", test] == (wrong, -1, -1, 0, 0, 2, None)
    assert found["iter-02", pairs[3].key][:1] == (right,)


def test_a_further_round_is_added_without_reading_the_rest_again(tmp_path, monkeypatch):
    runs.write_run(tmp_path / "run")
    later = tmp_path / "iter-02"
    shutil.move(tmp_path / "run/iter-02", later)
    first, _ = update(tmp_path / "run")
    shutil.move(later, tmp_path / "run/iter-02")
    read = []
    add = made.Filler.add_source
    monkeypatch.setattr(made.Filler, "add_source", lambda s, x: (read.append(x.judge), add(s, x)))
    extended, _ = update(tmp_path / "run")
    assert set(read) == {"iter-02"}
    assert extended.lineage == first.lineage


def test_an_extended_index_is_the_one_that_is_made_at_once(tmp_path):
    runs.write_run(tmp_path / "run")
    shutil.move(tmp_path / "run/iter-02", tmp_path / "later")
    update(tmp_path / "run")
    shutil.move(tmp_path / "later", tmp_path / "run/iter-02")
    extended = rows(update(tmp_path / "run")[0], ITEMS)
    shutil.rmtree(tmp_path / "run/.view")
    assert rows(update(tmp_path / "run")[0], ITEMS) == extended


def test_a_file_that_was_replaced_is_read_again(tmp_path):
    pairs = runs.write_run(tmp_path, 4, 2)
    first, _ = update(tmp_path)
    runs.write_judgments(tmp_path / "iter-01", dict.fromkeys(pairs[:2], ("B", "A")))
    second, _ = update(tmp_path)
    outcomes = "SELECT outcome FROM item WHERE source IN (SELECT id FROM source WHERE sampled AND "
    assert rows(second, outcomes + "judge = 'iter-01')") == [(2,), (2,)]
    assert rows(second, outcomes + "judge = 'iter-02')") == [(0,), (0,)]
    assert second.lineage != first.lineage  # numbers of items may be given anew


def test_a_round_that_was_set_aside_is_gone(tmp_path):
    runs.write_run(tmp_path)
    update(tmp_path)
    shutil.move(tmp_path / "iter-02", tmp_path / "old-1")
    assert rows(update(tmp_path)[0], "SELECT DISTINCT judge FROM source") == [
        ("iter-00",),
        ("iter-01",),
    ]


@pytest.mark.parametrize("content", [b"", b"no index" * 1000, None])
def test_a_damaged_index_is_made_again(tmp_path, content):
    runs.write_run(tmp_path)
    whole = rows(update(tmp_path)[0], ITEMS)
    path = tmp_path / ".view" / INDEX
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    index, read = update(tmp_path)
    assert read
    assert rows(index, ITEMS) == whole


def test_a_killed_build_leaves_the_index_that_was_there(tmp_path, monkeypatch):
    pairs = runs.write_run(tmp_path, 4, 2)
    update(tmp_path)
    before = (tmp_path / ".view" / INDEX).read_bytes()
    runs.write_judgments(tmp_path / "iter-01", {pairs[0]: ("B", "A")})

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(made, "compare_rounds", killed)
        with pytest.raises(KeyboardInterrupt):
            update(tmp_path)
    assert (tmp_path / ".view" / INDEX).read_bytes() == before
    assert [p.name for p in (tmp_path / ".view").iterdir()] == [INDEX]
    assert rows(update(tmp_path)[0], "SELECT count(*) FROM item WHERE outcome = 2") == [(2,)]


def test_damaged_lines_are_counted_and_the_rest_is_there(tmp_path):
    runs.write_run(tmp_path, 16, 8)
    for path in ("iter-02/judgments.jsonl", "iter-01/eval/test/judged.jsonl", "pool/pairs.jsonl"):
        runs.damage(tmp_path / path, 3)
    index, _ = update(tmp_path)
    told = "SELECT path, unreadable, first_unreadable FROM file WHERE unreadable ORDER BY path"
    assert rows(index, told) == [
        ("iter-01/eval/test/judged.jsonl", 1, 4),
        ("iter-02/judgments.jsonl", 1, 4),
        ("pool/pairs.jsonl", 1, 4),
    ]
    counts = (
        "SELECT judge, on_pairs, count(*) FROM item JOIN source ON source.id = source GROUP BY 1, 2"
    )
    assert ("iter-01", "test", 7) in rows(index, counts)
    assert ("iter-02", "train", 8) in rows(index, counts)  # the other order of the pair is left


def test_a_last_line_without_its_end_is_no_damage(tmp_path):
    runs.write_run(tmp_path)
    with (tmp_path / "iter-02/judgments.jsonl").open("ab") as file:
        file.write(b'{"key":"half')
    assert rows(update(tmp_path)[0], "SELECT sum(unreadable) FROM file") == [(0,)]


def test_a_run_that_is_written_at_the_same_time_can_be_looked_at(tmp_path):
    runs.write_run(tmp_path)
    with FileLock(tmp_path / "run.lock"):
        index, _ = update(tmp_path)
    assert rows(index, "SELECT count(*) FROM item") == [(40,)]


def test_an_index_lies_elsewhere_where_the_folder_cannot_be_written(tmp_path):
    runs.write_run(tmp_path)
    (tmp_path / ".view").write_text("a file is in the way")  # root may write everywhere
    place = place_for(tmp_path)
    assert place.temporary
    index = bring_up_to_date(tmp_path, place, lambda _: None)
    assert rows(index, "SELECT count(*) FROM item") == [(40,)]
    remove_place(place)
    assert not place.folder.exists()
    assert (tmp_path / ".view").read_text() == "a file is in the way"


def test_a_run_without_held_out_pairs_and_with_one_strategy_is_shown(tmp_path):
    pairs = runs.pairs(4)[::2]
    runs.write_pool(tmp_path, pairs)
    (tmp_path / "pool/test-0.jsonl").unlink()
    runs.write_judgments(tmp_path / "iter-01", dict.fromkeys(pairs, ("A", "B")))
    index, _ = update(tmp_path)
    assert rows(index, "SELECT on_pairs FROM source") == [("train",)]
    assert rows(index, "SELECT outcome, changed FROM item") == [(0, None), (0, None)]


def test_judgments_of_pairs_that_are_gone_are_still_counted(tmp_path):
    runs.write_run(tmp_path, 4, 2)
    (tmp_path / "pool/pairs.jsonl").unlink()
    assert rows(update(tmp_path)[0], "SELECT count(*) FROM item") == [(10,)]


def test_a_run_without_judgments_says_what_to_wait_for(tmp_path):
    runs.write_pool(tmp_path, runs.pairs(2))
    with pytest.raises(DataError, match="nothing was judged there yet"):
        update(tmp_path)


def test_what_ste_eval_wrote_is_shown_with_its_judges(tmp_path):
    test = runs.pairs(2)
    for judge in ("ours", "theirs"):
        runs.write_evaluation(tmp_path / judge / "ste_local", dict.fromkeys(test, "AB"))
    sources = "SELECT judge, on_pairs, round FROM source ORDER BY judge"
    both = [("ours", "ste_local", 0), ("theirs", "ste_local", 0)]
    assert rows(update(tmp_path)[0], sources) == both
    assert rows(update(tmp_path)[0], "SELECT DISTINCT changed FROM item") == [(None,)]
    assert rows(update(tmp_path / "ours")[0], sources) == [("ours", "ste_local", 0)]
    assert rows(update(tmp_path / "ours/ste_local")[0], sources) == [("ours", "ste_local", 0)]


def test_votes_of_several_people_are_labels_and_ties_have_no_right_answer(tmp_path):
    test = runs.pairs(4)
    votes = {test[0].key: (3, 1, 0), test[1].key: (1, 1, 0), test[2].key: (0, 0, 0)}
    runs.write_evaluation(tmp_path / "judge/mt", dict.fromkeys(test, "AB"), people=votes)
    found = rows(update(tmp_path)[0], "SELECT people, outcome FROM item ORDER BY id")
    right, no_label = 0, 4
    assert found == [(1, right), (0, no_label), (None, no_label), (None, right)]


def test_pairs_that_were_too_long_to_be_asked_are_no_pairs_without_a_verdict(tmp_path):
    runs.write_run(tmp_path, 4, 2)
    path = tmp_path / "iter-02/eval/test/judged.jsonl"
    judged = [row for _, row in read_rows(path)]
    silent = dict.fromkeys(("verdict_a", "verdict_b", "forced_a", "forced_b"))
    judged[0] |= silent
    judged[1] |= silent | {"fits": False}
    replace_rows(path, judged)
    on_test = "judge = 'iter-02' AND on_pairs = 'test'"
    found = rows(update(tmp_path)[0], f"{ITEMS.partition(' ORDER')[0]} WHERE {on_test}")
    outcomes = {key: OUTCOMES[outcome] for _, _, key, outcome, *_ in found}
    assert outcomes == {judged[0]["id"]: "none", judged[1]["id"]: "too-long"}
    changed = {key: changed for *_, key, _, _, _, _, changed, _, _ in found}
    assert changed[judged[1]["id"]] is None


def test_an_index_of_an_older_form_is_made_again(tmp_path):
    runs.write_run(tmp_path)
    first, _ = update(tmp_path)
    with closing(sqlite3.connect(first.path)) as db, db:
        db.execute("UPDATE meta SET value = '1' WHERE name = 'version'")
    again, read = update(tmp_path)
    assert read and again.lineage != first.lineage
