"""The word 3-grams of a text, by which near duplicates are told; and their hashes, for millions."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ste_plugin.text.words import fold, split_run, words_of

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]
_MULTIPLIERS = [pow(0x9E3779B97F4A7C15, n, 1 << 64) for n in range(1, 9)]
"""Large odd numbers, one for each place in an n-gram: two orders of the same words differ."""
_MOST_KNOWN = 1 << 18
"""Runs whose words are kept: the frequent ones are soon known again."""
_NO_WORD = 0


def shingles(text: str) -> frozenset[str]:
    """Return the word 3-grams of a text, or its words where there are fewer than three.

    Letter case, forms of Unicode and the punctuation around a word do not count; signs on their own
    do. Each character of a script that is written without spaces counts as a word.

    >>> sorted(shingles("What is 2 + 2?"))
    ['2 + 2', 'is 2 +', 'what is 2']
    >>> sorted(shingles("用Python排序。"))
    ['python 排 序', '用 python 排']
    """
    return shingles_of(words_of(text))


def shingles_of(words: Sequence[str]) -> frozenset[str]:
    """Return the shingles of a text that has these words."""
    size = 3 if len(words) >= 3 else 1
    return frozenset(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))


class WordHashes:
    """The hashes of the words of texts; those of frequent words are made once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, ...]] = {}

    def of(self, texts: Iterable[str]) -> tuple[Integers, Words]:
        """Return how many words each text has, and the hashes of all of them in turn.

        A text without words has one: that it has none.
        """
        words = [self._of_text(text) for text in texts]
        counts = np.fromiter(map(len, words), np.int64, len(words))
        flat = np.fromiter(chain.from_iterable(words), np.int64, counts.sum())
        return counts, flat.view(np.uint64)

    def _of_text(self, text: str) -> list[int]:
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        found: list[int] = []
        for run in fold(text).split():
            hashes = self._known.get(run)
            if hashes is None:
                hashes = self._known[run] = tuple(map(hash, split_run(run)))
            found += hashes
        return found or [_NO_WORD]


class Shingles:
    """The shingles of texts, as sets and as hashes of them that are made without the sets."""

    def __init__(self, count: int, text: Callable[[int], str]) -> None:
        """`text`: position, below `count` → a text."""
        self._count, self._text = count, text
        self._words = WordHashes()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: int) -> frozenset[str]:
        return shingles(self._text(position))

    def hash_all(self, positions: range) -> tuple[Integers, Integers]:
        """Return what `hash_shingles` does, of the texts at some positions."""
        return hash_shingles(*self._words.of(map(self._text, positions)))


def hash_shingles(counts: Integers, words: Words) -> tuple[Integers, Integers]:
    """Return how many shingles each text has, and the hashes of all of them in turn.

    `counts` and `words` are those of `WordHashes`. Within a text a hash comes once.
    """
    owners, places = _places(counts)
    hashes = np.where((counts < 3)[owners], words, _mix(words, 3))
    is_start = (counts < 3)[owners] | (places < counts[owners] - 2)
    return distinct(owners[is_start], hashes[is_start].view(np.int64), len(counts))


def hash_ngrams(counts: Integers, words: Words, size: int) -> tuple[Integers, Integers, Integers]:
    """Return the number of its text, its place there and its hash, of each n-gram of words.

    `size` is at most 8; texts with fewer words have none.
    """
    owners, places = _places(counts)
    is_start = places <= counts[owners] - size
    hashes = _mix(words, size).view(np.int64)
    return owners[is_start], places[is_start], hashes[is_start]


def _places(counts: Integers) -> tuple[Integers, Integers]:
    """Return for each word of texts with so many the number of its text, and its place there."""
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners, np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]


def _mix(words: Words, size: int) -> Words:
    """Return for each word a hash of it and those that follow, so many in all."""
    padded = np.concatenate([words, np.zeros(size - 1, np.uint64)])
    mixed = np.zeros(len(words), np.uint64)
    for n, multiplier in enumerate(_MULTIPLIERS[:size]):
        mixed += padded[n : n + len(words)] * np.uint64(multiplier)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), np.uint64)


def distinct(owners: Integers, hashes: Integers, count: int) -> tuple[Integers, Integers]:
    """Return how many different hashes each of so many owners has, and these in turn."""
    order = np.lexsort((hashes, owners))
    owners, hashes = owners[order], hashes[order]
    is_new = np.ones(len(owners), bool)
    is_new[1:] = (np.diff(owners) != 0) | (hashes[1:] != hashes[:-1])
    return np.bincount(owners[is_new], minlength=count), hashes[is_new]
