"""Pairs of a pool, read back as they are needed."""

import pytest

from ste_plugin.errors import DataError
from ste_plugin.records import ResponsePair
from ste_plugin.storage.jsonl import iter_record_spans, replace_records
from ste_plugin.storage.pair_index import PairIndex
from tests.helpers.builders import pair


def read(path, wanted=lambda _: True):
    found = PairIndex(path)
    for one, start, end in iter_record_spans(path, ResponsePair):
        if wanted(one):
            found.add(start, end)
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
