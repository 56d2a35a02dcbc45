"""Where the line of each completion starts in its file: 25 to 50 bytes each, however many."""

from array import array

ABSENT = -1
_SMALLEST = 1 << 10
_STEP = 0x9E3779B97F4A7C15
"""Odd and large: the samples of one prompt lie far apart."""


class Offsets:
    """(prompt's key as a number, sample's index) → byte offset.

    A hash table with open addressing: keys are hashes already.
    """

    def __init__(self) -> None:
        self._count = 0
        self._make_room(_SMALLEST)

    def get(self, prompt: int, sample: int) -> int:
        """Return an offset, or ABSENT."""
        return self._starts[self._place(prompt, sample)]

    def add(self, prompt: int, sample: int, start: int) -> bool:
        """Add an offset where there is none yet; return whether there was none."""
        place = self._place(prompt, sample)
        if self._starts[place] != ABSENT:
            return False
        self._prompts[place], self._samples[place], self._starts[place] = prompt, sample, start
        self._count += 1
        if 4 * self._count >= 3 * len(self._starts):
            self._grow()
        return True

    def _place(self, prompt: int, sample: int) -> int:
        """Return where an entry is, or the empty place where it would be."""
        starts, prompts, samples, mask = self._starts, self._prompts, self._samples, self._mask
        place = (prompt + sample * _STEP) & mask
        while starts[place] != ABSENT and (prompts[place] != prompt or samples[place] != sample):
            place = (place + 1) & mask
        return place

    def _make_room(self, size: int) -> None:
        self._mask = size - 1
        self._prompts, self._samples = array("Q", bytes(8 * size)), array("I", bytes(4 * size))
        self._starts = array("q", [ABSENT]) * size

    def _grow(self) -> None:
        before = zip(self._prompts, self._samples, self._starts, strict=True)
        self._make_room(2 * len(self._starts))
        for prompt, sample, start in before:
            if start != ABSENT:
                place = self._place(prompt, sample)
                self._prompts[place], self._samples[place] = prompt, sample
                self._starts[place] = start
