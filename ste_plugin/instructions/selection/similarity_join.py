"""Which sets of a sequence resemble an earlier one: exact, and without comparing all with all.

Two sets of Jaccard similarity t or more share one of the first n - ceil(t n) + 1 elements of each,
n being its size, in any one order of all elements (the prefix filter of Chaudhuri, Ganti and
Kaushik 2006). Rare elements come first here, so that few sets share one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, pairwise
from pathlib import Path
from tempfile import gettempdir
from typing import IO, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ste_plugin.storage.durable import open_temporary

Integers = NDArray[np.int64]
Group = TypeVar("Group")

_CHUNK = 4096
_BUCKETS_PER_SET, _MOST_BUCKETS = 64, 1 << 25
"""Counters of how often elements occur; those that share one only look less rare."""


class Sets(Protocol):
    """Sets of texts, each made when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int) -> frozenset[str]: ...

    def hash_all(self, positions: range) -> tuple[Integers, Integers]:
        """Return the sizes of some sets, and hashes of their elements, those of each set together.

        An empty set counts as one of a single element, which all empty sets share.
        """
        ...


def find_copies(texts: Iterable[str]) -> Sequence[bool]:
    """Return for each text whether an earlier one is the same; 16 bytes are held for each."""
    digests = bytearray()
    for text in texts:
        digests += blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, second = np.frombuffer(digests, np.uint64).reshape(-1, 2).T
    order = np.lexsort((np.arange(len(first)), second, first))
    copies = np.zeros(len(first), bool)
    same = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
    copies[order[1:]] = same
    found: Sequence[bool] = copies.tolist()
    return found


def find_repeats(
    sets: Sets, threshold: float, may_resemble: Callable[[int, int], bool] = lambda *_: False
) -> Iterator[int]:
    """Yield the positions of the sets that resemble an earlier one that stays.

    `threshold`: Jaccard similarity from which sets resemble each other, above 0. `may_resemble`:
    whether that is no matter of a position and an earlier one. Held are 128 MB
    at most, and 16 bytes for each element of a prefix that others hold, too.
    """
    shared = _shared_prefixes(sets, threshold)
    kept: defaultdict[int, list[int]] = defaultdict(list)
    elements = lru_cache(_CHUNK)(sets.__getitem__)
    for position, hashes in shared:
        earlier = dict.fromkeys(other for h in hashes for other in kept[h])
        if any(
            jaccard(elements(position), elements(n)) >= threshold and not may_resemble(position, n)
            for n in earlier
        ):
            yield position
        else:
            for h in hashes:
                kept[h].append(position)


def find_groups(
    sets: Sets,
    threshold: float,
    start: int,
    group_of: Callable[[int], Group | None],
    home: Callable[[Group], Group],
) -> Iterator[tuple[int, set[Group]]]:
    """Yield positions from `start` on, each with the groups of the earlier sets that it resembles.

    A set that shares nothing rare with any other is not yielded. `group_of` is asked for the group
    of each once it was yielded; None leaves it out from then on. `home`: the group that a group is
    part of by now. One set that is alike tells of a group, however many there are in it.
    """
    seen: defaultdict[int, dict[Group, list[int]]] = defaultdict(dict)
    elements = lru_cache(_CHUNK)(sets.__getitem__)
    for position, hashes in _shared_prefixes(sets, threshold, start):
        if position >= start:
            own, near = elements(position), set[Group]()
            for group, members in chain.from_iterable(seen[h].items() for h in hashes):
                if home(group) not in near and any(
                    jaccard(own, elements(n)) >= threshold for n in members
                ):
                    near.add(home(group))
            yield position, near
        if (joined := group_of(position)) is not None:
            for h in hashes:
                seen[h].setdefault(joined, []).append(position)


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the share of common elements, 0 to 1; two empty sets are equal."""
    common = len(a & b)
    return common / (len(a) + len(b) - common) if a or b else 1.0


def _shared_prefixes(
    sets: Sets, threshold: float, start: int = 0
) -> Iterator[tuple[int, list[int]]]:
    """Yield position → hashes of its prefix that others' prefixes hold, too, in order.

    One of these others, or it itself, is at `start` or later.
    """
    owners, hashes = _prefixes(sets, threshold)
    _, inverse, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    is_held_late = np.zeros(len(sizes), bool)
    is_held_late[inverse[owners >= start]] = True
    shared = (sizes > 1)[inverse] & is_held_late[inverse]
    owners, hashes = owners[shared], inverse[shared]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    for start, end in pairwise([*starts, len(owners)]):
        yield int(owners[start]), hashes[start:end].tolist()


def _prefixes(sets: Sets, threshold: float) -> tuple[Integers, Integers]:
    """Return owner and hash of the elements of all prefixes that occur more than once.

    The hashes of all elements wait in a file until it is known how often each occurs.
    Raises: DataError where the folder of temporary files is full.
    """
    count = len(sets)
    buckets = min(_MOST_BUCKETS, 1 << (_BUCKETS_PER_SET * count).bit_length())
    frequencies = np.zeros(buckets, np.uint32)
    starts = range(0, count, _CHUNK)
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    with open_temporary(Path(gettempdir())) as file:
        for start in starts:
            sizes, hashes = sets.hash_all(range(start, min(start + _CHUNK, count)))
            np.add.at(frequencies, hashes % buckets, 1)
            file.write(sizes.tobytes() + hashes.tobytes())
        file.seek(0)
        for start in starts:
            sizes = _read(file, min(_CHUNK, count - start))
            hashes = _read(file, int(sizes.sum()))
            owners, rare = rarest(sizes, hashes, frequencies[hashes % buckets], threshold)
            found.append((owners + start, rare))
    owners, hashes = (np.concatenate(part) for part in zip(*found, strict=True))
    return owners, hashes


def _read(file: IO[bytes], count: int) -> Integers:
    return np.frombuffer(file.read(count * np.dtype(np.int64).itemsize), np.int64)


def rarest(
    sizes: Integers, hashes: Integers, frequencies: NDArray[np.uint32], threshold: float
) -> tuple[Integers, Integers]:
    """Return owner and hash of what the prefixes of some sets hold, but what occurs once in all."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((hashes, frequencies, owners))
    # a hair less, as 0.8 · 5 must not become 5
    lengths = sizes - np.ceil(threshold * sizes - 1e-9).astype(np.int64) + 1
    ranks = np.arange(len(owners)) - (np.cumsum(sizes) - sizes)[owners]
    taken = (ranks < lengths[owners]) & (frequencies[order] > 1)
    return owners[taken], hashes[order][taken]
