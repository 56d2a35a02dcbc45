"""Which prompts of benchmarks a text repeats: whole, nearly, or in long stretches of words.

Candidates are found by hashes of n-grams, of many texts at once; each is then compared word by
word, so that what is found does not depend on the hashes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ste_plugin.config.instructions import Measure
from ste_plugin.instructions.selection.candidates import (
    LONG_GRAM,
    SHARE,
    Candidates,
    Grams,
    Prefixes,
)
from ste_plugin.instructions.selection.hashed_texts import GRAM, HashedTexts
from ste_plugin.instructions.selection.shared_grams import SharedGrams
from ste_plugin.instructions.selection.shingles import shingles_of
from ste_plugin.instructions.selection.similarity_join import jaccard
from ste_plugin.text.words import quote

RANKS: dict[Measure, int] = {"exact": 3, "near-duplicate": 2, "8-grams": 1, "13-grams": 0}
_REMEMBERED = 4096
"""Prompts whose words are held."""
_TRIED = 16
"""How many prompts are tried for one text, of those that were found in others before."""


class Match(NamedTuple):
    """A prompt that a text repeats."""

    prompt: int
    """Its number."""
    measure: Measure
    figure: float
    """The similarity of the two, or the share of the prompt's words in 8-grams of the text; what
    many prompts share does not count."""
    quote: str
    """Words that they share."""


class PromptIndex:
    """The prompts of a set, found again in texts.

    What many of them share is left out of the prompts and of the texts before they are compared.
    """

    def __init__(self, prompts: HashedTexts, owners: Sequence[int], threshold: float) -> None:
        """`owners`: the number of the prompt that each is, or is a turn of; from 0.

        `threshold`: Jaccard similarity of shingles from which a text is a near duplicate.
        """
        self._template = SharedGrams(prompts, np.array(owners, np.int64))
        self.shared = self._template.shared
        """What is left out."""
        self._prompts = self._template.prompts
        self._grams = Grams(self._prompts)
        self._near = Prefixes(self._prompts, threshold)
        self._words = lru_cache(_REMEMBERED)(self._prompts.words_of)
        self._shingles = lru_cache(_REMEMBERED)(lambda number: shingles_of(self._words(number)))
        self.short = int((self._prompts.counts < GRAM).sum())
        """How many prompts have too few words for 8-grams."""
        self.found: dict[Measure, set[int]] = {measure: set() for measure in RANKS}
        """Measure → numbers of the prompts that a text repeats; of long grams one per text."""
        self._is_found = np.zeros(len(prompts), bool)

    def find(self, texts: HashedTexts) -> dict[int, Match]:
        """Return number of a text → the prompt that it repeats by the strictest measure.

        Of prompts that are found by the same measure it is the one with the greatest figure.
        """
        best: dict[int, Match] = {}
        texts = self._template.without(texts)
        for number, prompts in self._near.find(texts).items():
            words = texts.words_of(number)
            elements = shingles_of(words)
            for prompt in prompts:
                self._note(best, number, self._nearly(prompt, words, elements))
        for number, candidates in self._grams.find(texts):
            self._verify_grams(best, number, candidates, texts.words_of(number))
        return best

    def _verify_grams(
        self, best: dict[int, Match], number: int, candidates: Candidates, words: list[str]
    ) -> None:
        """Make the best of the candidates that hold word by word the text's, if it is better.

        Those that were found before can only be a text's best, which is among the first.
        """
        is_first = np.arange(len(candidates.prompts)) < _TRIED
        wanted = is_first | (candidates.is_shared & ~self._is_found[candidates.prompts])
        rows = (column[wanted].tolist() for column in candidates)
        for prompt, is_shared, is_long in zip(*rows, strict=True):
            if is_shared and not (number in best and self._is_found[prompt]):
                self._note(best, number, self._sharing(prompt, words))
            if is_long and number not in best:
                self._note(best, number, self._quoting(prompt, words))

    def _note(self, best: dict[int, Match], number: int, match: Match | None) -> None:
        if match is None:
            return
        self.found[match.measure].add(match.prompt)
        if match.measure != "13-grams":
            self._is_found[match.prompt] = True
        if number not in best or _merit(match) > _merit(best[number]):
            best[number] = match

    def _nearly(self, prompt: int, words: list[str], elements: frozenset[str]) -> Match | None:
        own = self._words(prompt)
        if own == words:
            return Match(prompt, "exact", 1.0, quote(own))
        similarity = jaccard(self._shingles(prompt), elements)
        if similarity >= self._near.threshold:
            return Match(prompt, "near-duplicate", similarity, quote(own))
        return None

    def _sharing(self, prompt: int, words: list[str]) -> Match | None:
        own = self._words(prompt)
        stretches = shared_stretches(own, words, GRAM)
        share = sum(end - start for start, end in stretches) / len(own)
        if share < SHARE:
            return None
        start, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
        return Match(prompt, "8-grams", share, quote(own[start:end]))

    def _quoting(self, prompt: int, words: list[str]) -> Match | None:
        own = self._words(prompt)
        if not (stretches := shared_stretches(own, words, LONG_GRAM)):
            return None
        covered = sum(end - start for start, end in shared_stretches(own, words, GRAM))
        start, end = stretches[0]
        return Match(prompt, "13-grams", covered / len(own), quote(own[start:end]))


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
