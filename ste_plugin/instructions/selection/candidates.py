"""Which prompts a text may repeat: candidates by the hashes of n-grams, of many texts at once."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ste_plugin.instructions.selection.hashed_texts import GRAM, HashedTexts
from ste_plugin.instructions.selection.similarity_join import rarest

Integers = NDArray[np.int64]

LONG_GRAM, SHARE = 13, 0.5
"""Words of a long gram, and the share of a prompt's words that is too many."""
_GRAMS_OF_LONG = LONG_GRAM - GRAM + 1
"""So many grams in a row are in one long gram."""
_REMEMBERED = 64
"""Sets of grams whose candidates are held: texts that begin alike share just these grams."""
_MOST_BITS = 27
_BUCKETS_PER_PROMPT, _MOST_BUCKETS = 64, 1 << 22


class Candidates(NamedTuple):
    """Prompts that share 8-grams with a text, the most covered first."""

    prompts: Integers
    is_shared: NDArray[np.bool_]
    """Whether half of its words are in them."""
    is_long: NDArray[np.bool_]
    """Whether so many are in a row that a long gram may be shared."""


class _Postings:
    """Values filed under hashes."""

    def __init__(self, hashes: Integers, *columns: Integers) -> None:
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._columns = hashes[order], [column[order] for column in columns]
        bits = min(_MOST_BITS, (16 * len(hashes) + 1024).bit_length())
        self._mask = np.int64((1 << bits) - 1)
        self._maybe = np.zeros(1 << bits, bool)
        self._maybe[hashes & self._mask] = True

    def find(self, owners: Integers, hashes: Integers) -> tuple[Integers, Integers, Integers]:
        """Return of each hash under which something is filed: whose it is, and from where to where.

        `owners` is whose each hash is.
        """
        likely = self._maybe[hashes & self._mask]
        owners, hashes = owners[likely], hashes[likely]
        starts = np.searchsorted(self._hashes, hashes)
        ends = np.searchsorted(self._hashes, hashes, side="right")
        there = ends > starts
        return owners[there], starts[there], ends[there]

    def read(self, starts: Integers, ends: Integers) -> list[Integers]:
        """Return the columns of what is filed from there to there, in turn."""
        sizes = ends - starts
        before = np.cumsum(sizes) - sizes
        rows = np.repeat(starts - before, sizes) + np.arange(sizes.sum())
        return [column[rows] for column in self._columns]


class Grams:
    """The 8-grams of prompts."""

    def __init__(self, prompts: HashedTexts) -> None:
        owners, places, hashes = prompts.grams
        self._postings = _Postings(hashes, owners, places)
        self._lengths = prompts.counts
        self._widest = int(prompts.counts.max(initial=0)) + 1
        self._candidates = lru_cache(_REMEMBERED)(self._find_candidates)

    def find(self, texts: HashedTexts) -> Iterator[tuple[int, Candidates]]:
        """Yield number of a text and its candidates, if it has any."""
        owners, _, hashes = texts.grams
        owners, starts, ends = self._postings.find(owners, hashes)
        cuts = [*np.flatnonzero(np.diff(owners, prepend=-1)).tolist(), len(owners)]
        for first, end in pairwise(cuts):
            grams = np.unique(np.stack([starts[first:end], ends[first:end]]), axis=1)
            candidates = self._candidates(grams.tobytes())
            if len(candidates.prompts):
                yield int(owners[first]), candidates

    def _find_candidates(self, grams: bytes) -> Candidates:
        """Return the prompts that have enough of some grams; texts of a template have the same."""
        prompts, places = self._postings.read(*np.frombuffer(grams, np.int64).reshape(2, -1))
        order = np.argsort(prompts * self._widest + places, kind="stable")
        prompts, places = prompts[order], places[order]
        is_new = np.diff(prompts, prepend=-1) != 0
        covered = np.where(is_new, GRAM, np.minimum(np.diff(places, prepend=0), GRAM))
        in_a_row = np.zeros(len(places), np.int64)
        ahead = _GRAMS_OF_LONG - 1
        in_a_row[:-ahead] = (places[ahead:] - places[:-ahead] == ahead) & (
            prompts[ahead:] == prompts[:-ahead]
        )
        starts = np.flatnonzero(is_new)
        prompts, is_long = prompts[starts], np.add.reduceat(in_a_row, starts) > 0
        shares = np.add.reduceat(covered, starts) / self._lengths[prompts]
        order = np.argsort(-shares, kind="stable")
        order = order[(shares >= SHARE)[order] | is_long[order]]
        return Candidates(prompts[order], shares[order] >= SHARE, is_long[order])


class Prefixes:
    """The rarest shingles of prompts: those of a near duplicate have one in common.

    As in `similarity_join`; rare is what few prompts have.
    """

    def __init__(self, prompts: HashedTexts, threshold: float) -> None:
        self.threshold = threshold
        count = len(prompts)
        buckets = min(_MOST_BUCKETS, 1 << (_BUCKETS_PER_PROMPT * count + 1).bit_length())
        self._frequencies = np.zeros(buckets, np.uint32)
        self._sizes, hashes = prompts.shingles
        np.add.at(self._frequencies, hashes % buckets, 1)
        owners, rare = self._prefixes(self._sizes, hashes)
        self._postings = _Postings(rare, owners)

    def find(self, texts: HashedTexts) -> defaultdict[int, list[int]]:
        """Return number of a text → numbers of the prompts that may be near duplicates."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        sizes, hashes = texts.shingles
        numbers, near_sizes, hashes = self._well_known(sizes, hashes)
        owners, starts, ends = self._postings.find(*self._prefixes(near_sizes, hashes))
        (prompts,) = self._postings.read(starts, ends)
        owners = np.repeat(numbers[owners], ends - starts)
        low, high = np.sort([sizes[owners], self._sizes[prompts]], axis=0)
        alike = low >= self.threshold * high - 1e-9
        for text, prompt in np.unique([owners[alike], prompts[alike]], axis=1).T.tolist():
            found[text].append(prompt)
        return found

    def _well_known(self, sizes: Integers, hashes: Integers) -> tuple[Integers, Integers, Integers]:
        """Return numbers, sizes and hashes of the texts that prompts have enough shingles of.

        Of a near duplicate some prompt has that share of them which the threshold is, at least.
        """
        owners = np.repeat(np.arange(len(sizes)), sizes)
        is_known = self._frequencies[hashes % len(self._frequencies)] > 0
        known = np.bincount(owners[is_known], minlength=len(sizes))
        is_near = known >= self.threshold * sizes - 1e-9
        return np.flatnonzero(is_near), sizes[is_near], hashes[is_near[owners]]

    def _prefixes(self, sizes: Integers, hashes: Integers) -> tuple[Integers, Integers]:
        """Return owner and hash of what the prefixes hold, but what no prompt has."""
        # with the one itself, what some prompt has occurs twice
        frequencies = self._frequencies[hashes % len(self._frequencies)] + np.uint32(1)
        return rarest(sizes, hashes, frequencies, self.threshold)
