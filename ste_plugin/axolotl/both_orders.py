"""Both orders of a pair, side by side in every batch: which rows belong together, in which order.

Whole batches go to a process each, so that an even batch size keeps the two together wherever the
training runs.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ste_plugin.records import ORDERS, content_key

PAIR, BETTER_IS = "ste_pair", "ste_better_is"
"""Columns of tokenized rows: the pair's number, and the place in ORDERS of the letter that is
right."""


def pair_columns(row: Mapping[str, Any]) -> dict[str, int]:
    """Return what says of a tokenized row which pair it is from, in which order."""
    number = int(content_key(row["pair"])[:15], 16)  # fits 64 bits, sign included
    return {PAIR: number, BETTER_IS: ORDERS.index(row["better_is"])}


def rows_of_pairs(
    pairs: Sequence[int], better_is: Sequence[int]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the indices of the two rows of each pair, the better answer first as A; then others.

    Pairs come in the order in which they are whole. The others have no row in the other order.
    """
    waiting: dict[int, list[list[int]]] = defaultdict(lambda: [[], []])
    whole = []
    for index, (pair, letter) in enumerate(zip(pairs, better_is, strict=True)):
        waiting[pair][letter].append(index)
        if all(waiting[pair]):
            first, second = (rows.pop(0) for rows in waiting[pair])
            whole.append((first, second))
    return whole, sorted(index for rows in waiting.values() for each in rows for index in each)


class PairSampler:
    """The rows of a data set by pairs; those without the other order are left out."""

    def __init__(self, dataset: Any, seed: int | None) -> None:
        """`dataset`: has the columns PAIR and BETTER_IS. `seed`: None keeps the order of rows."""
        self.pairs, self.single = rows_of_pairs(list(dataset[PAIR]), list(dataset[BETTER_IS]))
        self._seed, self._epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Draw another order in each epoch, the same in every process."""
        self._epoch = epoch

    def __len__(self) -> int:
        return 2 * len(self.pairs)

    def __iter__(self) -> Iterator[int]:
        pairs = list(self.pairs)
        if self._seed is not None:
            random.Random(f"{self._seed} {self._epoch}").shuffle(pairs)
        return (row for pair in pairs for row in pair)
