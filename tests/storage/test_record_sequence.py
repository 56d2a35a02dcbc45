"""Sequences of records that are read back as they are needed."""

import pytest

from ste_plugin.errors import DataError
from ste_plugin.records import ResponsePair
from ste_plugin.storage.jsonl import iter_record_starts, replace_records
from ste_plugin.storage.record_sequence import RecordSequence, Subset, write_records
from tests.helpers.builders import pair


def read(path, wanted=lambda _: True):
    found = RecordSequence(path, ResponsePair)
    for one, start in iter_record_starts(path, ResponsePair):
        if wanted(one):
            found.add(start)
    return found


def test_the_pairs_that_were_added_are_read_back_in_any_order(tmp_path):
    pairs = [pair(key=f"p{n}", better="Ä" * n) for n in range(9)]
    replace_records(tmp_path / "pairs.jsonl", pairs)
    found = read(tmp_path / "pairs.jsonl", lambda one: one.key != "p4")
    assert list(found) == pairs[:4] + pairs[5:]
    assert (found[-1], found[0], found[2:4]) == (pairs[8], pairs[0], pairs[2:4])


def test_a_file_that_changed_meanwhile_is_told(tmp_path):
    path = tmp_path / "pairs.jsonl"
    replace_records(path, [pair(key="p0"), pair(key="p1")])
    found = read(path)
    path.write_text("{}\n")
    with pytest.raises(DataError, match="pairs.jsonl: changed while it was read. Run the same"):
        found[1]


def test_records_that_are_written_as_they_come_are_read_back(tmp_path):
    pairs = [pair(key=f"p{n}", better="Ä" * n) for n in range(9)]
    found = write_records(tmp_path / "pairs.jsonl", ResponsePair, iter(pairs))
    assert list(found) == pairs


def test_records_that_cannot_all_be_made_leave_the_file_as_it_was(tmp_path):
    def broken():
        yield pair(key="p0")
        raise DataError("no more")

    path = tmp_path / "pairs.jsonl"
    path.write_text("before\n")
    with pytest.raises(DataError, match="no more"):
        write_records(path, ResponsePair, broken())
    assert [f.read_text() for f in tmp_path.iterdir()] == ["before\n"]


def test_a_subset_has_the_items_at_its_positions():
    found = Subset(Subset("abcdefgh", [1, 3, 5, 7]), [0, 3])
    assert (list(found), found[-1], found[1:]) == (["b", "h"], "h", ["h"])
    with pytest.raises(IndexError):
        found[2]
