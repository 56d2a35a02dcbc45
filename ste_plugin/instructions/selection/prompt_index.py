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
_REMEMBERED = 64
"""Sets of grams whose candidates are held: texts that begin alike share just these grams."""
_TRIED = 16
"""How many prompts of a set are tried for one text, of those that were found in others before."""
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


class Candidates(NamedTuple):
    """Prompts that share 8-grams with a text, of each set the most covered first."""

    prompts: Integers
    is_shared: NDArray[np.bool_]
    """Whether half of its words are in them."""
    is_long: NDArray[np.bool_]
    """Whether so many are in a row that a long gram may be shared."""
    ranks: Integers
    """Its place among those of its set, from 0."""


class PromptIndex:
    """The prompts of some sets, found again in texts."""

    def __init__(self, sets: Sequence[Sequence[str]], threshold: float) -> None:
        """`threshold`: Jaccard similarity of shingles from which a text is a near duplicate."""
        self._prompts = [prompt for prompts in sets for prompt in prompts]
        self._set_of = np.repeat(np.arange(len(sets)), [len(prompts) for prompts in sets])
        self._hashes = WordHashes()
        counts, words = self._hashes.of(self._prompts)
        self._lengths = counts
        self._grams = _Grams(counts, words, self._set_of)
        self._near = _Prefixes(counts, words, threshold)
        self._words = lru_cache(4096)(lambda number: words_of(self._prompts[number]))
        self.found: dict[Measure, set[int]] = {measure: set() for measure in RANKS}
        """Measure → numbers of the prompts that a text repeats; of long grams one per text and set.
        """
        self._is_found = np.zeros(len(self._prompts), bool)

    def set_of(self, prompt: int) -> int:
        """Return the number of the set that a prompt is in."""
        return int(self._set_of[prompt])

    def length(self, prompt: int) -> int:
        """Return how many words a prompt has."""
        return int(self._lengths[prompt])

    def find(self, texts: Sequence[str]) -> list[list[Match]]:
        """Return for each text what it repeats: of each set one prompt, by the strictest measure.

        Of prompts that are found by the same measure it is the one with the greatest figure.
        """
        best: defaultdict[int, dict[int, Match]] = defaultdict(dict)
        if self._prompts and texts:
            counts, words = self._hashes.of(texts)
            for number, prompts in self._near.find(counts, words).items():
                self._verify_near(best[number], prompts, texts[number])
            for number, candidates in self._grams.find(counts, words):
                self._verify_grams(best[number], candidates, texts[number])
        return [
            list(best[number].values()) if number in best else [] for number in range(len(texts))
        ]

    def _verify_near(self, best: dict[int, Match], prompts: Sequence[int], text: str) -> None:
        """Add the candidates that hold word by word to the best of their sets."""
        words = words_of(text)
        for prompt in prompts:
            self._note(best, self._nearly(prompt, text, words))

    def _verify_grams(self, best: dict[int, Match], candidates: Candidates, text: str) -> None:
        """Add the candidates that hold word by word to the best of their sets.

        Those that were found before can only be a text's best, which is among the first.
        """
        words = words_of(text)
        wanted = (candidates.ranks < _TRIED) | (
            candidates.is_shared & ~self._is_found[candidates.prompts]
        )
        rows = (column[wanted].tolist() for column in candidates[:3])
        for prompt, is_shared, is_long in zip(*rows, strict=True):
            known = best.get(self.set_of(prompt))
            if is_shared and not (known and self._is_found[prompt]):
                self._note(best, self._sharing(prompt, words))
            if is_long and self.set_of(prompt) not in best:
                self._note(best, self._quoting(prompt, words))

    def _note(self, best: dict[int, Match], match: Match | None) -> None:
        if match is None:
            return
        self.found[match.measure].add(match.prompt)
        if match.measure != "13-grams":
            self._is_found[match.prompt] = True
        number = self.set_of(match.prompt)
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


class _Grams:
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
