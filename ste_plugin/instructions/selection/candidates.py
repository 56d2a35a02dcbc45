"""Which prompts a text may repeat: candidates by the hashes of n-grams, of many texts at once."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ste_plugin.instructions.selection.shingles import Words, hash_ngrams, hash_shingles
from ste_plugin.instructions.selection.similarity_join import rarest

Integers = NDArray[np.int64]

GRAM, LONG_GRAM, SHARE = 8, 13, 0.5
"""Words of a gram, of a long one, and the share of a prompt's words that is too many."""
_GRAMS_OF_LONG = LONG_GRAM - GRAM + 1
"""So many grams in a row are in one long gram."""
_REMEMBERED = 64
"""Sets of grams whose candidates are held: texts that begin alike share just these grams."""
_MOST_BITS = 27
_BUCKETS_PER_PROMPT, _MOST_BUCKETS = 64, 1 << 22


class Candidates(NamedTuple):
    """Prompts that share 8-grams with a text, of each set the most covered first."""

    prompts: Integers
    is_shared: NDArray[np.bool_]
    """Whether half of its words are in them."""
    is_long: NDArray[np.bool_]
    """Whether so many are in a row that a long gram may be shared."""
    ranks: Integers
    """Its place among those of its set, from 0."""


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

    def __init__(self, counts: Integers, words: Words, sets: Integers) -> None:
        owners, places, hashes = hash_ngrams(counts, words, GRAM)
        self._postings = _Postings(hashes, owners, places)
        self._lengths, self._sets = counts, sets
        self._widest = int(counts.max(initial=0)) + 1
        self._candidates = lru_cache(_REMEMBERED)(self._find_candidates)

    def find(self, counts: Integers, words: Words) -> Iterator[tuple[int, Candidates]]:
        """Yield number of a text and its candidates, if it has any."""
        owners, _, hashes = hash_ngrams(counts, words, GRAM)
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
        order = np.lexsort((-shares, self._sets[prompts]))
        order = order[(shares >= SHARE)[order] | is_long[order]]
        prompts, is_shared, is_long = prompts[order], shares[order] >= SHARE, is_long[order]
        firsts = np.flatnonzero(np.diff(self._sets[prompts], prepend=-1))
        ranks = np.arange(len(prompts)) - np.repeat(firsts, np.diff([*firsts, len(prompts)]))
        return Candidates(prompts, is_shared, is_long, ranks)


class Prefixes:
    """The rarest shingles of prompts: those of a near duplicate have one in common.

    As in `similarity_join`; rare is what few prompts have.
    """

    def __init__(self, counts: Integers, words: Words, threshold: float) -> None:
        self.threshold = threshold
        buckets = min(_MOST_BUCKETS, 1 << (_BUCKETS_PER_PROMPT * len(counts) + 1).bit_length())
        self._frequencies = np.zeros(buckets, np.uint32)
        self._sizes, hashes = hash_shingles(counts, words)
        np.add.at(self._frequencies, hashes % buckets, 1)
        owners, rare = self._prefixes(self._sizes, hashes)
        self._postings = _Postings(rare, owners)

    def find(self, counts: Integers, words: Words) -> defaultdict[int, list[int]]:
        """Return number of a text → numbers of the prompts that may be near duplicates."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        sizes, hashes = hash_shingles(counts, words)
        owners, starts, ends = self._postings.find(*self._prefixes(sizes, hashes))
        (prompts,) = self._postings.read(starts, ends)
        texts = np.repeat(owners, ends - starts)
        low, high = np.sort([sizes[texts], self._sizes[prompts]], axis=0)
        alike = low >= self.threshold * high - 1e-9
        for text, prompt in np.unique([texts[alike], prompts[alike]], axis=1).T.tolist():
            found[text].append(prompt)
        return found

    def _prefixes(self, sizes: Integers, hashes: Integers) -> tuple[Integers, Integers]:
        """Return owner and hash of what the prefixes hold, but what no prompt has."""
        # with the one itself, what some prompt has occurs twice
        frequencies = self._frequencies[hashes % len(self._frequencies)] + np.uint32(1)
        return rarest(sizes, hashes, frequencies, self.threshold)
