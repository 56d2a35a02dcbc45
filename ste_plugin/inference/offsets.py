"""Where the line of each completion starts in its file: 20 bytes each, however many there are."""

from array import array
from bisect import bisect_left, bisect_right

ABSENT = -1
_RECENT = 1 << 16
_SHARE = 16
"""Recent entries are sorted in among the others once they are more than one in so many of them."""


class Offsets:
    """(prompt's key as a number, sample's index) → byte offset."""

    def __init__(self) -> None:
        self._recent: dict[int, array[int]] = {}  # prompt → by sample
        self._count = 0
        self._prompts, self._samples, self._starts = array("Q"), array("I"), array("q")  # sorted

    def get(self, prompt: int, sample: int) -> int:
        """Return an offset, or ABSENT."""
        recent = self._recent.get(prompt)
        if recent and sample < len(recent) and recent[sample] != ABSENT:
            return recent[sample]
        return self._find(prompt, sample) if self._prompts else ABSENT

    def add(self, prompt: int, sample: int, start: int) -> None:
        """Add an offset that is not there yet."""
        recent = self._recent.setdefault(prompt, array("q"))
        while len(recent) <= sample:
            recent.append(ABSENT)
        recent[sample] = start
        self._count += 1
        if self._count > max(_RECENT, len(self._prompts) // _SHARE):
            self._sort_in()

    def _find(self, prompt: int, sample: int) -> int:
        first = bisect_left(self._prompts, prompt)
        if first == len(self._prompts) or self._prompts[first] != prompt:
            return ABSENT
        end = bisect_right(self._prompts, prompt, first)
        at = bisect_left(self._samples, sample, first, end)
        return self._starts[at] if at < end and self._samples[at] == sample else ABSENT

    def _sort_in(self) -> None:
        """Move the recent entries among the others."""
        import numpy as np

        for prompt, starts in self._recent.items():
            for sample, start in enumerate(starts):
                if start != ABSENT:
                    self._prompts.append(prompt)
                    self._samples.append(sample)
                    self._starts.append(start)
        self._recent, self._count = {}, 0
        prompts, samples = np.asarray(self._prompts), np.asarray(self._samples)
        order = np.lexsort((samples, prompts))
        offsets = np.asarray(self._starts)
        self._prompts = array("Q", prompts[order].tobytes())
        self._samples = array("I", samples[order].tobytes())
        self._starts = array("q", offsets[order].tobytes())
