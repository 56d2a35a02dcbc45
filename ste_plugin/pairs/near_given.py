"""Given pairs whose prompts nearly repeat others: they are in the split of these, or left out."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ste_plugin.config import RunConfig
from ste_plugin.pairs.given import GIVEN
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.pairs.strategies import pair_key
from ste_plugin.records import Drop, Instruction, ResponsePair
from ste_plugin.text.turns import without_system

IN_TWO_SPLITS = "near duplicate of prompts in two splits"


def keep_near_together(
    pairs: Sequence[ResponsePair], instructions: Sequence[Instruction], config: RunConfig
) -> Iterator[ResponsePair | Drop]:
    """Yield the given pairs, those of prompts that are near duplicates under one split key.

    That is an instruction's, where one of them is near any, as no instruction moves; what is near
    nothing keeps its own. A pair whose prompt is near instructions of two splits is a Drop.
    Without the selector of near duplicates all are yielded as they are.
    """
    if not pairs or "near-duplicates" not in config.selection.selectors:
        yield from pairs
        return
    groups = _Groups(pairs, instructions, config)
    for position, pair in enumerate(pairs):
        if position in groups.left_out:
            yield Drop(GIVEN, pair.instruction_key, IN_TWO_SPLITS)
        elif (key := groups.home(pair.split_key)) != pair.split_key:
            moved = replace(pair, conversation=key)
            yield replace(moved, key=pair_key(moved))
        else:
            yield pair


class _Groups:
    """Which split keys go together, by the prompts that are under them."""

    def __init__(
        self,
        pairs: Sequence[ResponsePair],
        instructions: Sequence[Instruction],
        config: RunConfig,
    ) -> None:
        self._pairs, self._instructions, self._config = pairs, instructions, config
        self._home: dict[str, str] = {}
        """Split key → another one that it goes with."""
        own = {pair.split_key for pair in pairs}
        self._fixed = {key for i in instructions if (key := i.conversation) in own}
        """Keys of instructions, which stay where they are."""
        self.left_out = set[int]()
        """Positions of pairs whose prompts are near instructions of two splits."""
        self._join_all()

    def home(self, key: str) -> str:
        """Return the split key that a key goes with by now."""
        while key in self._home:
            key = self._home[key]
        return key

    def _join_all(self) -> None:
        from ste_plugin.instructions.selection.shingles import Shingles  # imports numpy
        from ste_plugin.instructions.selection.similarity_join import find_groups

        first = len(self._instructions)
        sets = Shingles(first + len(self._pairs), self._text)
        threshold = self._config.selection.near_duplicate_threshold
        for position, near in find_groups(sets, threshold, first, self._group_of, self.home):
            self._join(position - first, near)

    def _text(self, position: int) -> str:
        first = len(self._instructions)
        if position < first:
            return self._instructions[position].asked
        return without_system(self._pairs[position - first].instruction)

    def _group_of(self, position: int) -> str | None:
        """Return the group of a text that stays; an instruction that is asked about is fixed."""
        first = len(self._instructions)
        if position < first:
            self._fixed.add(key := self._instructions[position].conversation)
            return key
        number = position - first
        return None if number in self.left_out else self.home(self._pairs[number].split_key)

    def _join(self, number: int, near: set[str]) -> None:
        """Put a pair together with the groups that it is near, if their splits allow it."""
        own = self.home(self._pairs[number].split_key)
        fixed = sorted(key for key in {own, *near} if key in self._fixed)
        if len({split_of(key, self._config) for key in fixed}) > 1:
            self.left_out.add(number)
            return
        head = min(fixed or near or {own})
        for key in {own, *near}.difference(fixed, [head]):
            self._home[key] = head
