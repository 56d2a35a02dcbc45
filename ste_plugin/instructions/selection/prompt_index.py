"""Which prompts of benchmarks a text repeats: whole, nearly, or in long stretches of words.

Candidates are found by hashes of n-grams, of many texts at once; each is then compared word by
word, so that what is found does not depend on the hashes.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ste_plugin.config.instructions import Measure
from ste_plugin.instructions.selection.candidates import (
    GRAM,
    LONG_GRAM,
    SHARE,
    Candidates,
    Grams,
    Prefixes,
)
from ste_plugin.instructions.selection.shingles import WordHashes, shingles
from ste_plugin.instructions.selection.similarity_join import jaccard
from ste_plugin.instructions.selection.words import words_of

RANKS: dict[Measure, int] = {"exact": 3, "near-duplicate": 2, "8-grams": 1, "13-grams": 0}
_QUOTED_CHARS = 300
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


class PromptIndex:
    """The prompts of some sets, found again in texts."""

    def __init__(self, sets: Sequence[Sequence[str]], threshold: float) -> None:
        """`threshold`: Jaccard similarity of shingles from which a text is a near duplicate."""
        self._prompts = [prompt for prompts in sets for prompt in prompts]
        self._set_of = np.repeat(np.arange(len(sets)), [len(prompts) for prompts in sets])
        self._hashes = WordHashes()
        counts, words = self._hashes.of(self._prompts)
        self._lengths = counts
        self._grams = Grams(counts, words, self._set_of)
        self._near = Prefixes(counts, words, threshold)
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
