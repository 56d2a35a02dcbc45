"""Which prompts a local model batches: of similar length, with all their samples, within memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice

from ste_plugin.engines.base import ChatRequest

_MIN_LENGTH_SHARE = 0.75
"""Of a batch's longest prompt: a shorter one costs more in padding than it gains."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Wanted samples of one prompt, and its tokens."""

    requests: list[ChatRequest]
    ids: list[int]
    choices: list[int]
    """Token ids of the request's choices, or empty."""

    @property
    def rows(self) -> int:
        """Return how many sequences continue it: choices are all drawn from its last token."""
        return 1 if self.choices else len(self.requests)

    @property
    def width(self) -> int:
        """Return the tokens of one such sequence, the longest answer included."""
        return len(self.ids) + (0 if self.choices else self.requests[0].sampling.max_new_tokens)

    @property
    def kind(self) -> tuple[bool, float, float, int]:
        """Return what must be the same for all prompts of a batch."""
        s = self.requests[0].sampling
        return bool(self.choices), s.temperature, s.top_p, s.max_new_tokens


@dataclass(frozen=True, slots=True)
class BatchBudget:
    """How large a batch may be: what one sequence takes, and the limit that all of them share."""

    limit: float
    """In bytes; in tokens where the user set the limit."""
    per_token: float
    per_row: float = 0.0
    per_token_pair: float = 0.0
    """For every pair of tokens of one sequence: the attention mask in prefill."""
    max_rows: int = 1 << 30

    def cost(self, rows: int, width: int) -> float:
        """Return what so many sequences of `width` tokens take of the limit."""
        return rows * (width * (self.per_token + width * self.per_token_pair) + self.per_row)

    def rows(self, width: int) -> int:
        """Return how many sequences of `width` tokens fit, at least one."""
        return max(1, min(self.max_rows, int(self.limit / self.cost(1, width))))

    def half_of(self, batch: list[Prompt]) -> "BatchBudget":
        """Return the budget that half of a batch needs, as the whole did not fit."""
        rows = sum(p.rows for p in batch)
        return replace(self, limit=self.cost(rows, batch[0].width) / 2, max_rows=max(1, rows // 2))


def split_into_windows(
    requests: Iterable[ChatRequest], rows: int
) -> Iterator[list[list[ChatRequest]]]:
    """Yield about `rows` requests at a time, grouped by prompt; only a prompt with more is divided.

    One request more than is yielded has been taken: the first of the next prompt.
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


def sort_for_batching(prompts: Iterable[Prompt]) -> deque[Prompt]:
    """Return the prompts by kind, the longest of each first: what cannot fit shows at once."""
    return deque(sorted(prompts, key=lambda p: (p.kind, -len(p.ids))))


def next_batch(waiting: deque[Prompt], budget: BatchBudget, full_rows: int) -> list[Prompt]:
    """Remove a batch from the front: of one kind, within budget, little padding past `full_rows`.

    A prompt with more samples than the budget allows is divided, and the others wait.
    """
    longest = waiting[0]
    max_rows = budget.rows(longest.width)
    batch = [_take_rows(waiting, max_rows)]
    rows = batch[0].rows
    while waiting and waiting[0].kind == longest.kind:
        prompt = waiting[0]
        too_short = len(prompt.ids) < _MIN_LENGTH_SHARE * len(longest.ids)
        if rows + prompt.rows > max_rows or (rows >= full_rows and too_short):
            break
        batch.append(waiting.popleft())
        rows += prompt.rows
    return batch


def _take_rows(waiting: deque[Prompt], max_rows: int) -> Prompt:
    """Remove the first prompt, with as many of its samples as there may be rows."""
    prompt = waiting.popleft()
    if prompt.rows <= max_rows:
        return prompt
    waiting.appendleft(replace(prompt, requests=prompt.requests[max_rows:]))
    return replace(prompt, requests=prompt.requests[:max_rows])
