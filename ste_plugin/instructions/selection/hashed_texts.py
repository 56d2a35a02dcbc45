"""Texts with the hashes of their words, of which some may be left out."""

from collections.abc import Sequence
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from ste_plugin.instructions.selection.shingles import (
    Integers,
    WordHashes,
    Words,
    hash_ngrams,
    hash_shingles,
)
from ste_plugin.text.words import words_of

GRAM = 8
"""Words of a gram."""


class HashedTexts:
    """Some texts as the hashes of the words that count."""

    def __init__(
        self,
        texts: Sequence[str],
        hashed: tuple[Integers, Words],
        is_kept: NDArray[np.bool_] | None = None,
    ) -> None:
        """`hashed`: what `WordHashes.of` gives; `is_kept`: of each word, whether it counts."""
        counts, self.words = hashed
        self._texts, self._is_kept = texts, is_kept
        self._ends = np.cumsum(counts)
        self.owners = np.repeat(np.arange(len(counts)), counts)
        """Of each word that counts, the number of its text."""
        if is_kept is not None:
            self.words, self.owners = self.words[is_kept], self.owners[is_kept]
        self._hashed, self.counts = hashed, np.bincount(self.owners, minlength=len(counts))

    @classmethod
    def of(cls, texts: Sequence[str], hashes: WordHashes) -> "HashedTexts":
        """Return some texts, of which every word counts."""
        return cls(texts, hashes.of(texts))

    def __len__(self) -> int:
        return len(self._texts)

    def without(self, is_left_out: NDArray[np.bool_]) -> "HashedTexts":
        """Return the same texts without some of their words; so far all of them count."""
        return HashedTexts(self._texts, self._hashed, ~is_left_out)

    def words_of(self, number: int) -> list[str]:
        """Return the words of a text that count."""
        words = words_of(self._texts[number])
        if self._is_kept is None:
            return words
        end = self._ends[number]
        return list(compress(words, self._is_kept[end - len(words) : end]))

    @cached_property
    def grams(self) -> tuple[Integers, Integers, Integers]:
        """Of each 8-gram: the number of its text, its place there and its hash."""
        return hash_ngrams(self.counts, self.words, GRAM)

    @cached_property
    def shingles(self) -> tuple[Integers, Integers]:
        """How many shingles each text has, and the hashes of all of them in turn."""
        return hash_shingles(self.counts, self.words)
