"""Which prompts of benchmarks a text repeats: whole, nearly, or in long stretches of words.

Candidates are found by hashes of n-grams, of many texts at once; each is then compared word by
word, so that what is found does not depend on the hashes.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ste_plugin.config.instructions import Measure
from ste_plugin.instructions.selection.shingles import (
    WordHashes,
    Words,
    hash_ngrams,
    hash_shingles,
    shingles,
    words_of,
)
from ste_plugin.instructions.selection.similarity_join import jaccard, rarest

Integers = NDArray[np.int64]

GRAM, LONG_GRAM, SHARE = 8, 13, 0.5
"""Words of a gram, of a long one, and the share of a prompt's words that is too many."""
RANKS: dict[Measure, int] = {"exact": 3, "near-duplicate": 2, "8-grams": 1, "13-grams": 0}
_GRAMS_OF_LONG = LONG_GRAM - GRAM + 1
"""So many grams in a row are in one long gram."""
_PART = 1 << 20
"""Postings that are looked at together."""
_MOST_BITS = 27
_BUCKETS_PER_PROMPT, _MOST_BUCKETS = 64, 1 << 22
_QUOTED_CHARS = 300


class Match(NamedTuple):
    """A prompt that a text repeats."""

    prompt: int
    """Its number, of those of all sets in turn."""
    measure: Measure
    figure: float
    """The similarity of the two, or the share of the prompt's words in 8-grams of the text."""
    quote: str
    """Words that they share."""


class PromptIndex:
    """The prompts of some sets, found again in texts."""

    def __init__(self, sets: Sequence[Sequence[str]], threshold: float) -> None:
        """`threshold`: Jaccard similarity of shingles from which a text is a near duplicate."""
        self._prompts = [prompt for prompts in sets for prompt in prompts]
        self._set_of = [number for number, prompts in enumerate(sets) for _ in prompts]
        self._hashes = WordHashes()
        counts, words = self._hashes.of(self._prompts)
        self._lengths = counts
        self._grams = _Grams(counts, words)
        self._near = _Prefixes(counts, words, threshold)
        self._words = lru_cache(4096)(lambda number: words_of(self._prompts[number]))
        self.found: dict[Measure, set[int]] = {measure: set() for measure in RANKS}
        """Measure → numbers of the prompts that a text repeats; of long grams one per text and set.
        """

    def set_of(self, prompt: int) -> int:
        """Return the number of the set that a prompt is in."""
        return self._set_of[prompt]

    def length(self, prompt: int) -> int:
        """Return how many words a prompt has."""
        return int(self._lengths[prompt])

    def find(self, texts: Sequence[str]) -> list[list[Match]]:
        """Return for each text what it repeats: of each set one prompt, by the strictest measure.

        Of prompts that are found by the same measure it is the one with the greatest figure.
        """
        found: list[list[Match]] = [[] for _ in texts]
        if not (self._prompts and texts):
            return found
        counts, words = self._hashes.of(texts)
        near = self._near.find(counts, words)
        grams = self._grams.find(counts, words, self._lengths)
        for number in sorted(near.keys() | grams.keys()):
            found[number] = self._verify(texts[number], near[number], grams[number])
        return found

    def _verify(
        self, text: str, near: Sequence[int], grams: "Sequence[tuple[int, bool, bool]]"
    ) -> list[Match]:
        """Return the matches among the candidates that hold word by word."""
        best: dict[int, Match] = {}
        words = words_of(text)
        for prompt in near:
            self._note(best, self._nearly(prompt, text, words))
        for prompt, is_shared, is_long in grams:
            known = best.get(self._set_of[prompt])
            if is_shared and not (known and prompt in self.found[known.measure]):
                self._note(best, self._sharing(prompt, words))
            if is_long and self._set_of[prompt] not in best:
                self._note(best, self._quoting(prompt, words))
        return list(best.values())

    def _note(self, best: dict[int, Match], match: Match | None) -> None:
        if match is None:
            return
        self.found[match.measure].add(match.prompt)
        number = self._set_of[match.prompt]
        known = best.get(number)
        if known is None or _merit(match) > _merit(known):
            best[number] = match

    def _nearly(self, prompt: int, text: str, words: list[str]) -> Match | None:
        own = self._words(prompt)
        if own == words:
            return Match(prompt, "exact", 1.0, _quote(own))
        similarity = jaccard(shingles(self._prompts[prompt]), shingles(text))
        if similarity >= self._near.threshold:
            return Match(prompt, "near-duplicate", similarity, _quote(own))
        return None

    def _sharing(self, prompt: int, words: list[str]) -> Match | None:
        own = self._words(prompt)
        stretches = shared_stretches(own, words, GRAM)
        share = sum(end - start for start, end in stretches) / len(own)
        if share < SHARE:
            return None
        start, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
        return Match(prompt, "8-grams", share, _quote(own[start:end]))

    def _quoting(self, prompt: int, words: list[str]) -> Match | None:
        own = self._words(prompt)
        if not (stretches := shared_stretches(own, words, LONG_GRAM)):
            return None
        covered = sum(end - start for start, end in shared_stretches(own, words, GRAM))
        start, end = stretches[0]
        return Match(prompt, "13-grams", covered / len(own), _quote(own[start:end]))


def shared_stretches(own: Sequence[str], other: Sequence[str], size: int) -> list[tuple[int, int]]:
    """Return where words lie in n-grams that other words have, too, as (start, end) in turn.

    >>> shared_stretches("a b c d x".split(), "z a b c d".split(), 3)
    [(0, 4)]
    """
    grams = {tuple(other[n : n + size]) for n in range(len(other) - size + 1)}
    stretches: list[tuple[int, int]] = []
    for start in range(len(own) - size + 1):
        if tuple(own[start : start + size]) in grams:
            follows = bool(stretches) and stretches[-1][1] >= start
            first = stretches.pop()[0] if follows else start
            stretches.append((first, start + size))
    return stretches


def _merit(match: Match) -> tuple[int, float]:
    return RANKS[match.measure], match.figure


def _quote(words: Sequence[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]}…"


class _Postings:
    """Values filed under hashes."""

    def __init__(self, hashes: Integers, *columns: Integers) -> None:
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._columns = hashes[order], [column[order] for column in columns]
        bits = min(_MOST_BITS, (16 * len(hashes) + 1024).bit_length())
        self._mask = np.int64((1 << bits) - 1)
        self._maybe = np.zeros(1 << bits, bool)
        self._maybe[hashes & self._mask] = True

    def find(self, owners: Integers, hashes: Integers) -> Iterator[list[Integers]]:
        """Yield columns of what is filed under some hashes: whose hash it is, then the values.

        `owners` come in order; each yield has all of its owners.
        """
        likely = self._maybe[hashes & self._mask]
        owners, hashes = owners[likely], hashes[likely]
        starts = np.searchsorted(self._hashes, hashes)
        sizes = np.searchsorted(self._hashes, hashes, side="right") - starts
        there = sizes > 0
        owners, starts, sizes = owners[there], starts[there], sizes[there]
        for first, end in pairwise(_cuts(owners, sizes)):
            part = slice(first, end)
            before = np.cumsum(sizes[part]) - sizes[part]
            rows = np.repeat(starts[part] - before, sizes[part]) + np.arange(sizes[part].sum())
            yield [np.repeat(owners[part], sizes[part]), *(c[rows] for c in self._columns)]


def _cuts(owners: Integers, sizes: Integers) -> list[int]:
    """Return where to cut, so that parts have about `_PART` postings and no owner is in two."""
    if not len(owners):
        return []
    firsts = np.flatnonzero(np.diff(owners, prepend=-1))
    parts = (np.cumsum(sizes) - sizes)[firsts] // _PART
    return [*firsts[np.flatnonzero(np.diff(parts, prepend=-1))].tolist(), len(owners)]


class _Grams:
    """The 8-grams of prompts."""

    def __init__(self, counts: Integers, words: Words) -> None:
        owners, places, hashes = hash_ngrams(counts, words, GRAM)
        self._postings = _Postings(hashes, owners, places)

    def find(
        self, counts: Integers, words: Words, lengths: Integers
    ) -> defaultdict[int, list[tuple[int, bool, bool]]]:
        """Return number of a text → candidates, the most covered first.

        Each is a prompt, whether half of its words may be shared, and whether a long gram may be.
        """
        found: defaultdict[int, list[tuple[int, bool, bool]]] = defaultdict(list)
        owners, _, hashes = hash_ngrams(counts, words, GRAM)
        for texts, prompts, places in self._postings.find(owners, hashes):
            text, prompt, covered, long = _covered(texts, prompts, places)
            shares = covered / lengths[prompt]
            order = np.lexsort((-shares, text))
            wanted = order[(shares[order] >= SHARE) | (long[order] > 0)]
            rows = (column[wanted].tolist() for column in (text, prompt, shares >= SHARE, long > 0))
            for number, *candidate in zip(*rows, strict=True):
                found[number].append(tuple(candidate))
        return found


def _covered(texts: Integers, prompts: Integers, places: Integers) -> tuple[Integers, ...]:
    """Return text, prompt, the prompt's words in shared grams, and whether many are in a row."""
    order = np.lexsort((places, prompts, texts))
    texts, prompts, places = texts[order], prompts[order], places[order]
    steps = np.diff(places, prepend=0)
    is_new = (np.diff(texts, prepend=-1) != 0) | (np.diff(prompts, prepend=-1) != 0)
    once = is_new | (steps > 0)  # a gram that a text has twice is found twice
    texts, prompts, places, is_new = texts[once], prompts[once], places[once], is_new[once]
    covered = np.where(is_new, GRAM, np.minimum(steps[once], GRAM))
    starts = np.flatnonzero(is_new)
    groups = np.cumsum(is_new)
    ahead = _GRAMS_OF_LONG - 1
    in_a_row = np.zeros(len(places), np.int64)
    if len(places) > ahead:
        in_a_row[:-ahead] = (places[ahead:] - places[:-ahead] == ahead) & (
            groups[ahead:] == groups[:-ahead]
        )
    sums = (np.add.reduceat(column, starts) for column in (covered, in_a_row))
    return (texts[starts], prompts[starts], *sums)


class _Prefixes:
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
        for texts, prompts in self._postings.find(*self._prefixes(sizes, hashes)):
            low, high = np.sort([sizes[texts], self._sizes[prompts]], axis=0)
            alike = low >= self.threshold * high - 1e-9
            pairs = np.unique(np.stack([texts[alike], prompts[alike]]), axis=1)
            for text, prompt in pairs.T.tolist():
                found[text].append(prompt)
        return found

    def _prefixes(self, sizes: Integers, hashes: Integers) -> tuple[Integers, Integers]:
        """Return owner and hash of what the prefixes hold, but what no prompt has."""
        # with the one itself, what some prompt has occurs twice
        frequencies = self._frequencies[hashes % len(self._frequencies)] + np.uint32(1)
        return rarest(sizes, hashes, frequencies, self.threshold)
