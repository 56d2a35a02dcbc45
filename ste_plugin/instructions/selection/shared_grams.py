"""What many prompts of a set share, as a template's words: no sign of any one of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ste_plugin.instructions.selection.hashed_texts import GRAM, HashedTexts
from ste_plugin.instructions.selection.shingles import Integers, distinct
from ste_plugin.text.words import quote

SHARED_PROMPTS, SHARED_PERCENT = 20, 5
"""So many prompts of a set, and this share of them, have a gram that is left out."""
_LEAST_PROMPTS = 5


class Shared(NamedTuple):
    """What many prompts of a set share."""

    grams: int
    """How many 8-grams."""
    prompts: int
    """How many texts have any."""
    quote: str
    """The longest of it, in words; empty where nothing is shared."""


class SharedGrams:
    """The 8-grams that many prompts of a set share, whose words are left out of comparisons."""

    def __init__(self, prompts: HashedTexts, owners: Integers) -> None:
        """`owners`: the number of the prompt that each text is, or is a part of."""
        texts, _, hashes = prompts.grams
        count = int(owners.max(initial=-1)) + 1
        _, once_each = distinct(owners[texts], hashes, count)
        hashes, prompts_with = np.unique(once_each, return_counts=True)
        self._hashes = hashes[prompts_with >= least_prompts(count)]
        self.prompts = self.without(prompts)
        """The prompts without what they share."""
        self.shared = self._describe(prompts)

    def without(self, texts: HashedTexts) -> HashedTexts:
        """Return texts without the words that lie in shared grams.

        A text that has no others stays as it is.
        """
        is_shared = self._is_shared(texts)
        left = np.bincount(texts.owners[~is_shared], minlength=len(texts))
        is_shared &= (left > 0)[texts.owners]
        return texts.without(is_shared) if is_shared.any() else texts

    def _is_shared(self, texts: HashedTexts) -> NDArray[np.bool_]:
        """Return of each word whether it lies in a shared gram."""
        if not len(self._hashes):
            return np.zeros(len(texts.words), bool)
        owners, places, hashes = texts.grams
        nearest = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        is_found = self._hashes[nearest] == hashes
        starts = (np.cumsum(texts.counts) - texts.counts)[owners[is_found]] + places[is_found]
        changes = np.zeros(len(texts.words) + 1, np.int64)
        changes[starts] += 1
        changes[starts + GRAM] -= 1
        return np.asarray(np.cumsum(changes[:-1]) > 0)

    def _describe(self, prompts: HashedTexts) -> Shared:
        is_shared = self._is_shared(prompts)
        if not is_shared.any():
            return Shared(0, 0, "")
        owners = np.where(is_shared, prompts.owners, -1)
        starts = np.flatnonzero(np.diff(owners, prepend=-2))
        sizes = np.diff([*starts, len(owners)])
        longest = int(np.argmax(np.where(owners[starts] >= 0, sizes, 0)))
        text, size = int(owners[starts[longest]]), int(sizes[longest])
        first = int(starts[longest] - np.searchsorted(prompts.owners, text))
        told = quote(prompts.words_of(text)[first : first + size])
        return Shared(len(self._hashes), len(np.unique(prompts.owners[is_shared])), told)


def least_prompts(count: int) -> int:
    """Return how many of so many prompts have to share a gram for it to be left out.

    >>> [least_prompts(count) for count in (4, 12, 40, 1000)]
    [5, 6, 20, 50]
    """
    few = min(SHARED_PROMPTS, -(-count // 2))
    return max(_LEAST_PROMPTS, few, -(-count * SHARED_PERCENT // 100))
