"""How varied texts are, beside others on the same prompts with as many words of each.

Longer texts repeat more, and other prompts say other things: so both are cut to the same length
prompt by prompt before anything is counted.
"""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import exp, log
from typing import NamedTuple

from ste_plugin.audit.jackknife import Estimate, estimate_of, group_of

TEXT_GROUPS = 20
FEWEST_TEXTS = 20
"""Texts that both have, below which nothing is said."""
_NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts written without spaces between words: a character counts as a word."""
_WORD = re.compile(rf"[{_NO_SPACES}]|(?:(?![{_NO_SPACES}])\w)+|[^\w\s]")

Texts = Mapping[str, str]
"""Key of the prompt, as `PAIR:ORDER` → what was written."""


class Variety(NamedTuple):
    """Ratios of the second texts to the first, on what both have."""

    length: Estimate
    """Words."""
    distinct_2: Estimate
    """Share of pairs of neighbouring words that are distinct ones."""
    distinct_3: Estimate
    compression: Estimate
    """Bytes after compression by zlib; fewer are more of the same."""
    texts: int


def words_of(text: str) -> list[str]:
    """Return the words and marks of a text, in small letters.

    >>> words_of("It's [[A]].")
    ['it', "'", 's', '[', '[', 'a', ']', ']', '.']
    """
    return _WORD.findall(text.lower())


def compare_texts(first: Texts, second: Texts) -> Variety:
    """Return how long and how varied the second texts are beside the first."""
    keys = sorted(first.keys() & second.keys())
    if len(keys) < FEWEST_TEXTS:
        unknown = Estimate(None, None)
        return Variety(unknown, unknown, unknown, unknown, len(keys))
    groups = [group_of(key.partition(":")[0], TEXT_GROUPS) for key in keys]
    words = [(words_of(first[key]), words_of(second[key])) for key in keys]
    cut = [_cut(a, b) for a, b in words]
    lengths = _sums([(len(a), len(b)) for a, b in words], groups)
    return Variety(
        _ratio(lambda out: _quotient(lengths, out)),
        _ratio(_distinct_ratio(cut, groups, 2)),
        _ratio(_distinct_ratio(cut, groups, 3)),
        _ratio(_compression_ratio([(first[key], second[key]) for key in keys], groups)),
        len(keys),
    )


_Without = Callable[[int | None], float | None]
"""Group that is left out, or None → a ratio."""


def _ratio(without: _Without) -> Estimate:
    """Return a ratio, its interval computed of logarithms."""
    values = [without(group) for group in (None, *range(TEXT_GROUPS))]
    logs = [None if value is None or value <= 0 else log(value) for value in values]
    estimate = estimate_of(logs[0], logs[1:])
    if estimate.figure is None:
        return Estimate(values[0], None)
    low_high = estimate.interval and (exp(estimate.interval[0]), exp(estimate.interval[1]))
    return Estimate(exp(estimate.figure), low_high)


def p_not_below(ratio: Estimate, threshold: float) -> float:
    """Return how likely a ratio at the threshold looks so low, by Student's t of its logarithm.

    Raises: ValueError for a ratio without an interval.
    """
    from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

    if ratio.figure is None or ratio.interval is None:
        raise ValueError("a ratio without an interval")
    degrees = TEXT_GROUPS - 1
    error = log(ratio.interval[1] / ratio.interval[0]) / 2 / float(stdtrit(degrees, 0.975))
    away = log(ratio.figure / threshold)
    return float(stdtr(degrees, away / error)) if error else float(away >= 0)


def _cut(first: list[str], second: list[str]) -> tuple[list[str], list[str]]:
    length = min(len(first), len(second))
    return first[:length], second[:length]


def _sums(
    values: Sequence[tuple[float, float]], groups: Sequence[int]
) -> dict[int, tuple[float, float]]:
    sums: dict[int, tuple[float, float]] = {}
    for (a, b), group in zip(values, groups, strict=True):
        before = sums.get(group, (0.0, 0.0))
        sums[group] = before[0] + a, before[1] + b
    return sums


def _quotient(sums: Mapping[int, tuple[float, float]], out: int | None) -> float | None:
    first = sum(a for group, (a, _) in sums.items() if group != out)
    second = sum(b for group, (_, b) in sums.items() if group != out)
    return second / first if first else None


def _distinct_ratio(
    cut: Sequence[tuple[list[str], list[str]]], groups: Sequence[int], n: int
) -> _Without:
    """Return the ratio of distinct n-grams: both texts have as many n-grams in all."""
    first, second = (_Distinct([pair[i] for pair in cut], groups, n) for i in (0, 1))

    def without(group: int | None) -> float | None:
        known = first.without(group)
        return second.without(group) / known if known else None

    return without


class _Distinct:
    """Counts distinct n-grams, with and without the texts of one group."""

    def __init__(self, texts: Sequence[Sequence[str]], groups: Sequence[int], n: int) -> None:
        only: dict[tuple[str, ...], int] = {}
        for words, group in zip(texts, groups, strict=True):
            grams = pairwise(words) if n == 2 else zip(words, words[1:], words[2:], strict=False)
            for gram in grams:
                if only.setdefault(gram, group) != group:
                    only[gram] = -1
        self._all, self._only = len(only), Counter(only.values())

    def without(self, group: int | None) -> int:
        """Return how many distinct n-grams there are outside a group."""
        return self._all if group is None else self._all - self._only[group]


def _compression_ratio(texts: Sequence[tuple[str, str]], groups: Sequence[int]) -> _Without:
    cut = [_cut_bytes(a.encode(errors="replace"), b.encode(errors="replace")) for a, b in texts]

    def without(group: int | None) -> float | None:
        kept = [pair for pair, g in zip(cut, groups, strict=True) if g != group]
        if not any(first for first, _ in kept):
            return None
        first, second = (len(zlib.compress(b"\n".join(p[i] for p in kept), 6)) for i in (0, 1))
        return second / first

    return without


def _cut_bytes(first: bytes, second: bytes) -> tuple[bytes, bytes]:
    length = min(len(first), len(second))
    return first[:length], second[:length]
