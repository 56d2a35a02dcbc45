"""Hashes of shingles: one for each shingle, the same wherever it occurs."""

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.instructions.selection.shingles import Shingles, shingles

WORDS = st.sampled_from(["a", "A", "b,", "c", "2", "+", "...", "名", "前。", "a名", ""])
TEXTS = st.lists(st.lists(WORDS, max_size=7).map(" ".join), min_size=1, max_size=8)


@given(TEXTS)
def test_two_shingles_have_one_hash_exactly_where_they_are_equal(texts):
    sizes, hashes = Shingles(len(texts), texts.__getitem__).hash_all(range(len(texts)))
    sets = [shingles(text) or frozenset([""]) for text in texts]
    assert sizes.tolist() == [len(own) for own in sets]
    hashed, start = [], 0
    for size in sizes:
        hashed.append(set(hashes[start : start + size].tolist()))
        start += size
    for one, own in zip(hashed, sets, strict=True):
        for other, its in zip(hashed, sets, strict=True):
            assert len(one & other) == len(own & its)
