"""The word 3-grams of a text, by which near duplicates are told; and their hashes, for millions."""

import re
from collections.abc import Callable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

_PUNCTUATION = ".,;:!?\"'()"
_WIDE_PUNCTUATION = "。、，．：；！？「」『』（）《》〈〉【】…—～・“”‘’។៕"
_UNSPACED = (  # the blocks of scripts that are written without spaces between words
    "\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf"  # Tai
    "\u1b00-\u1b7f\ua980-\ua9df"  # Balinese, Javanese
    "\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    "\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_CHARACTER_OR_REST = re.compile(f"[{_UNSPACED}]|[^{_UNSPACED}]+")

Integers = NDArray[np.int64]
_MULTIPLIERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
"""Large odd numbers, one for each place in a 3-gram: two orders of the same words differ."""
_MOST_KNOWN = 1 << 18
"""Runs whose words are kept: the frequent ones are soon known again."""
_NO_WORD = 0


def shingles(text: str) -> frozenset[str]:
    """Return the word 3-grams of a text, or its words where there are fewer than three.

    Letter case and the punctuation around a word do not count; signs on their own do. Each
    character of a script that is written without spaces counts as a word.

    >>> sorted(shingles("What is 2 + 2?"))
    ['2 + 2', 'is 2 +', 'what is 2']
    >>> sorted(shingles("用Python排序。"))
    ['python 排 序', '用 python 排']
    """
    words = [word for run in text.casefold().split() for word in split_run(run)]
    size = 3 if len(words) >= 3 else 1
    return frozenset(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))


def split_run(run: str) -> list[str]:
    """Return what counts as the words of a run without spaces."""
    if not _CHARACTER.search(run):
        return [run.strip(_PUNCTUATION) or run]
    parts = _CHARACTER_OR_REST.findall(run)
    words = [part.strip(_PUNCTUATION + _WIDE_PUNCTUATION) for part in parts]
    return [word for word in words if word] or [run]


class Shingles:
    """The shingles of texts, as sets and as hashes of them that are made without the sets."""

    def __init__(self, count: int, text: Callable[[int], str]) -> None:
        """`text`: position, below `count` → a text."""
        self._count, self._text = count, text
        self._known: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: int) -> frozenset[str]:
        return shingles(self._text(position))

    def hash_all(self, positions: range) -> tuple[Integers, Integers]:
        """Return how many shingles each text has, and the hashes of all of them in turn.

        Within a text a hash comes once. A text without words has one shingle: that it has none.
        """
        words = [self._hashes_of_words(self._text(position)) for position in positions]
        counts = np.fromiter(map(len, words), np.int64, len(words))
        flat = np.fromiter(chain.from_iterable(words), np.int64, counts.sum()).view(np.uint64)
        owners = np.repeat(np.arange(len(words)), counts)
        hashes = np.where((counts < 3)[owners], flat, _mix(flat))
        behind = np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]
        is_start = (counts < 3)[owners] | (behind < counts[owners] - 2)
        return _distinct(owners[is_start], hashes[is_start].view(np.int64), len(words))

    def _hashes_of_words(self, text: str) -> list[int]:
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        found: list[int] = []
        for run in text.casefold().split():
            hashes = self._known.get(run)
            if hashes is None:
                hashes = self._known[run] = tuple(map(hash, split_run(run)))
            found += hashes
        return found or [_NO_WORD]


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return for each word a hash of it and the two that follow."""
    padded = np.concatenate([words, np.zeros(2, np.uint64)])
    mixed = sum(padded[n : n + len(words)] * m for n, m in enumerate(_MULTIPLIERS))
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), np.uint64)


def _distinct(owners: Integers, hashes: Integers, count: int) -> tuple[Integers, Integers]:
    """Return how many different hashes each of so many owners has, and these in turn."""
    order = np.lexsort((hashes, owners))
    owners, hashes = owners[order], hashes[order]
    is_new = np.ones(len(owners), bool)
    is_new[1:] = (np.diff(owners) != 0) | (hashes[1:] != hashes[:-1])
    return np.bincount(owners[is_new], minlength=count), hashes[is_new]
