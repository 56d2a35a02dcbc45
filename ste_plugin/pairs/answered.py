"""The instructions that have a good answer, and these answers: found by key, held by none."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Self

from ste_plugin.inference.dispatch import StoredCompletions
from ste_plugin.records import Instruction
from ste_plugin.storage.record_sequence import Subset

_KEY = re.compile("[0-9a-f]{16}")


def key_of_number(number: int) -> str:
    """Return the content key that a number stands for."""
    return f"{number:016x}"


class AnsweredInstructions(Subset[Instruction]):
    """All instructions with a good answer, and their keys, as numbers, by category."""

    @classmethod
    def of(cls, instructions: Sequence[Instruction]) -> Self:
        """Return instructions as they are where they are these already."""
        if isinstance(instructions, cls):
            return instructions
        return cls(instructions, range(len(instructions)))

    def position_of(self, key: str) -> int:
        """Return where the first instruction of a key is among all. Raises: KeyError."""
        return self._by_key[1][self._find(key)]

    def conversation_of(self, key: str) -> str:
        """Return the key of the conversation that an instruction is of. Raises: KeyError."""
        return key_of_number(self._by_key[2][self._find(key)])

    def _find(self, key: str) -> int:
        """Return where a key is among all, sorted. Raises: KeyError."""
        numbers = self._by_key[0]
        number = int(key, 16) if _KEY.fullmatch(key) else -1
        at = bisect_left(numbers, number)
        if at == len(numbers) or numbers[at] != number:
            raise KeyError(key)
        return at

    def keys_beside(self, instruction: Instruction) -> tuple[Sequence[int], range]:
        """Return the keys of an instruction's category, sorted, and where its own are in them."""
        keys = self._by_category.get(instruction.category, ())
        own = int(instruction.key, 16)
        return keys, range(bisect_left(keys, own), bisect_right(keys, own))

    @cached_property
    def _by_key(self) -> tuple["array[int]", "array[int]", "array[int]"]:
        """Keys as sorted numbers; of each its position, and the conversation's key as a number."""
        numbers, conversations = array("Q"), array("Q")
        for instruction in self:
            numbers.append(int(instruction.key, 16))
            conversations.append(int(instruction.conversation, 16))
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        return (
            array("Q", (numbers[n] for n in order)),
            array("q", (self.position(n) for n in order)),
            array("Q", (conversations[n] for n in order)),
        )

    @cached_property
    def _by_category(self) -> Mapping[str, Sequence[int]]:
        found: defaultdict[str, array[int]] = defaultdict(lambda: array("Q"))
        for instruction in self:
            found[instruction.category].append(int(instruction.key, 16))
        return {category: array("Q", sorted(keys)) for category, keys in found.items()}


class StoredAnswers(Mapping[str, str]):
    """Instruction key → its good answer, read from where the generator's completions are kept."""

    def __init__(self, answered: AnsweredInstructions, completions: StoredCompletions) -> None:
        """`completions`: one of each instruction out of all, answered or not."""
        self._answered, self._completions = answered, completions

    def at(self, position: int) -> str:
        """Return the good answer to the instruction at a position among those with one."""
        return self._read(self._answered.position(position))

    def __getitem__(self, key: str) -> str:
        return self._read(self._answered.position_of(key))

    def _read(self, position: int) -> str:
        completion = self._completions.read(position)
        if completion is None:
            raise KeyError(position)
        return completion.text.strip()

    def __iter__(self) -> Iterator[str]:
        return (instruction.key for instruction in self._answered)

    def __len__(self) -> int:
        return len(self._answered)
