"""Which prompts a local model reads together: like lengths, all samples of a prompt, within memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice

from ste_plugin.engines.base import ChatRequest

_SHORTER = 0.75
"""A prompt shorter than this share of a batch's longest would be padded for more than it gains."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Wanted samples of one prompt, and its tokens."""

    requests: list[ChatRequest]
    ids: list[int]
    choices: list[int]
    """Token ids of the request's choices, or empty."""

    @property
    def rows(self) -> int:
        """Return how many sequences go on from it: choices are all drawn from its last token."""
        return 1 if self.choices else len(self.requests)

    @property
    def width(self) -> int:
        """Return the tokens of one such sequence, the longest answer included."""
        return len(self.ids) + (0 if self.choices else self.requests[0].sampling.max_new_tokens)

    @property
    def kind(self) -> tuple[bool, float, float, int]:
        """Return what must be the same for all prompts of a batch."""
        how = self.requests[0].sampling
        return bool(self.choices), how.temperature, how.top_p, how.max_new_tokens


@dataclass(frozen=True, slots=True)
class BatchBudget:
    """How large a batch may be: what one sequence takes, and the limit that all of them share."""

    limit: float
    """In bytes; in tokens where the user set the limit."""
    a_token: float
    a_row: float = 0.0
    a_pair: float = 0.0
    """For every pair of tokens of one sequence: the attention mask while a prompt is read."""
    most_rows: int = 1 << 30

    def cost(self, rows: int, width: int) -> float:
        """Return what so many sequences of `width` tokens take of the limit."""
        return rows * (width * (self.a_token + width * self.a_pair) + self.a_row)

    def rows(self, width: int) -> int:
        """Return how many sequences of `width` tokens fit, at least one."""
        return max(1, min(self.most_rows, int(self.limit / self.cost(1, width))))

    def half_of(self, batch: list[Prompt]) -> "BatchBudget":
        """Return the budget for half of a batch that turned out too large."""
        rows = sum(p.rows for p in batch)
        return replace(self, limit=self.cost(rows, batch[0].width) / 2, most_rows=max(1, rows // 2))


def windows(requests: Iterable[ChatRequest], rows: int) -> Iterator[list[list[ChatRequest]]]:
    """Yield about `rows` requests at a time, grouped by prompt; only a prompt above that is divided.

    One request more than is yielded has been taken: the one that ended a prompt's samples.
    """
    window: list[list[ChatRequest]] = []
    for _, samples in groupby(requests, key=lambda r: r.prompt_key):
        while group := list(islice(samples, rows)):
            window.append(group)
            if sum(map(len, window)) >= rows:
                yield window
                window = []
    if window:
        yield window


def ordered(prompts: Iterable[Prompt]) -> deque[Prompt]:
    """Return the prompts by kind, the longest of each first: what cannot fit shows at once."""
    return deque(sorted(prompts, key=lambda p: (p.kind, -len(p.ids))))


def next_batch(waiting: deque[Prompt], budget: BatchBudget, worth_rows: int) -> list[Prompt]:
    """Take a batch off the front: alike, within `room`, and little padding from `worth_rows` on.

    A prompt with more samples than there is room for is divided, and its rest waits.
    """
    longest = waiting[0]
    budget_rows, rows = budget.rows(longest.width), 0
    batch: list[Prompt] = []
    while waiting and waiting[0].kind == longest.kind:
        prompt = waiting[0]
        if batch and (rows + prompt.rows > budget_rows or (
            rows >= worth_rows and len(prompt.ids) < _SHORTER * len(longest.ids)
        )):  # fmt: skip
            break
        waiting.popleft()
        if prompt.rows > budget_rows:
            waiting.appendleft(replace(prompt, requests=prompt.requests[budget_rows:]))
            prompt = replace(prompt, requests=prompt.requests[:budget_rows])
        batch.append(prompt)
        rows += prompt.rows
    return batch
