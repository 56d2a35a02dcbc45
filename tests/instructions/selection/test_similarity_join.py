"""Sets that resemble an earlier one: the very ones that comparing all with all finds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import DataError
from ste_plugin.instructions.selection import similarity_join
from ste_plugin.instructions.selection.similarity_join import find_repeats, jaccard
from ste_plugin.storage import durable


class Sets(list[frozenset[str]]):
    """Sets that are there already."""

    def hash_all(self, positions):
        hashes = [[hash(element) for element in self[n]] or [0] for n in positions]
        return np.array([len(own) for own in hashes]), np.array(
            [h for own in hashes for h in own], np.int64
        )


FULL = Path("/dev/full")

SETS = st.lists(st.frozensets(st.sampled_from("abcdefgh")), max_size=25)


def by_comparing_all(sets: list[frozenset[str]], threshold: float) -> list[int]:
    kept: list[frozenset[str]] = []
    found = []
    for position, own in enumerate(sets):
        if any(jaccard(own, other) >= threshold for other in kept):
            found.append(position)
        else:
            kept.append(own)
    return found


@given(sets=SETS, threshold=st.sampled_from([0.01, 0.25, 1 / 3, 0.5, 0.6, 2 / 3, 0.75, 0.8, 1.0]))
def test_all_and_only_those_at_or_above_the_threshold_are_found(sets, threshold):
    found = list(find_repeats(Sets(sets), threshold))
    assert found == by_comparing_all(sets, threshold)


@pytest.mark.parametrize(("common", "repeats"), [(7, []), (8, [1]), (9, [1])])
def test_the_threshold_itself_counts(common, repeats):
    whole = frozenset(f"w{n}" for n in range(10))
    part = frozenset(f"w{n}" for n in range(common))
    assert list(find_repeats(Sets([whole, part]), 0.8)) == repeats


def test_a_set_like_one_that_did_not_stay_stays():
    def words(*left_out: int) -> frozenset[str]:
        return frozenset(f"w{n}" for n in range(12) if n not in left_out)

    sets = [words(), words(0, 1), words(0, 1, 2)]
    assert jaccard(sets[1], sets[2]) > 0.8 > jaccard(sets[0], sets[2])
    assert list(find_repeats(Sets(sets), 0.8)) == [1]


def test_a_full_folder_of_temporary_files_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(similarity_join, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(durable, "TemporaryFile", lambda **_: FULL.open("r+b"))
    with pytest.raises(DataError, match=f"{tmp_path}: cannot be written .* The disk is full"):
        list(find_repeats(Sets([frozenset("ab")] * 3), 0.8))
