"""Hashes of shingles: one for each shingle, the same wherever it occurs."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.instructions.selection.shingles import Shingles, WordHashes, shingles
from ste_plugin.text.words import words_of

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


@pytest.mark.parametrize(
    "stored",
    [
        unicodedata.normalize("NFD", "Où est “le café” d'à côté ?"),
        "Où est ＂le ｃａｆé＂ d’à côté ？",
        '\ufeffOù e\u00adst "le\u200b café" d\'à côté ?',
    ],
)
def test_how_a_text_is_stored_does_not_count(stored):
    text = 'où est "le café" d\'à côté ?'
    assert words_of(stored) == words_of(text)
    hashes = [WordHashes().of([one])[1].tolist() for one in (stored, text)]
    assert hashes[0] == hashes[1]
