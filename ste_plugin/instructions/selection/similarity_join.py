"""Which sets of a sequence resemble an earlier one: exact, and without comparing all with all.

Two sets of Jaccard similarity t or more share one of the first n - ceil(t n) + 1 elements of each,
n being its size, in any one order of all elements (the prefix filter of Chaudhuri, Ganti and
Kaushik 2006). Rare elements come first here, so that few sets share one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

Elements = Callable[[int], frozenset[str]]
"""Position of a set → its elements."""
Integers = NDArray[np.int64]

_CHUNK = 4096
_BUCKETS = 2**22
"""Counters of how often elements occur; those that share one only look less rare."""
_OF_AN_EMPTY_SET = -1


def find_repeats(count: int, elements: Elements, threshold: float) -> Iterator[int]:
    """Yield the positions, of `count` sets, of those that resemble an earlier one that stays.

    `threshold`: Jaccard similarity from which sets resemble each other, above 0. About 100 bytes
    are held for each set.
    """
    shared = _shared_prefixes(count, elements, threshold)
    kept: defaultdict[int, list[int]] = defaultdict(list)
    elements = lru_cache(_CHUNK)(elements)
    for position, hashes in shared:
        own = elements(position)
        earlier = dict.fromkeys(other for h in hashes for other in kept[h])
        if any(jaccard(own, elements(other)) >= threshold for other in earlier):
            yield position
        else:
            for h in hashes:
                kept[h].append(position)


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the share of common elements, 0 to 1; two empty sets are equal."""
    common = len(a & b)
    return common / (len(a) + len(b) - common) if a or b else 1.0


def _shared_prefixes(
    count: int, elements: Elements, threshold: float
) -> Iterator[tuple[int, list[int]]]:
    """Yield position → hashes of its prefix that others' prefixes hold, too, in order."""
    chunks = [_hashes(map(elements, chunk)) for chunk in _chunks(count)]
    if not chunks:
        return
    frequencies = np.zeros(_BUCKETS, np.uint32)
    for _, hashes in chunks:
        np.add.at(frequencies, hashes % _BUCKETS, 1)
    prefixes = [_prefixes(*chunk, frequencies, threshold) for chunk in chunks]
    owners = np.repeat(np.arange(count), np.concatenate([sizes for sizes, _ in prefixes]))
    hashes = np.concatenate([hashes for _, hashes in prefixes])
    _, inverse, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    shared = sizes[inverse] > 1
    owners, hashes = owners[shared], inverse[shared]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    for start, end in pairwise([*starts, len(owners)]):
        yield int(owners[start]), hashes[start:end].tolist()


def _chunks(count: int) -> list[range]:
    return [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]


def _hashes(sets: Iterable[frozenset[str]]) -> tuple[Integers, Integers]:
    """Return the sizes of some sets, and the hashes of all their elements."""
    own = [list(map(hash, elements)) or [_OF_AN_EMPTY_SET] for elements in sets]
    sizes = np.fromiter(map(len, own), np.int64, len(own))
    return sizes, np.fromiter(chain.from_iterable(own), np.int64, sizes.sum())


def _prefixes(
    sizes: Integers, hashes: Integers, frequencies: NDArray[np.uint32], threshold: float
) -> tuple[Integers, Integers]:
    """Return of some sets how many elements their prefixes have, and these, as hashes."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((hashes, frequencies[hashes % _BUCKETS], owners))
    # a hair less, as 0.8 · 5 must not become 5
    lengths = sizes - np.ceil(threshold * sizes - 1e-9).astype(np.int64) + 1
    ranks = np.arange(len(owners)) - (np.cumsum(sizes) - sizes)[owners]
    return lengths, hashes[order][ranks < lengths[owners]]
