"""What a judge is asked: one pair in one presentation order, with the outcomes of its samples."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from sys import intern

import msgspec

from ste_plugin.records import ORDERS, OTHER, ResponsePair, Verdict
from ste_plugin.sampling.stopping_rules import Counts

CORRECT, WRONG, NEITHER, UNREAD = "+-0."
"""Outcomes of one sample. `NEITHER`: no verdict, or none that may be used; `UNREAD`: not read yet,
or not drawn because the budget was used up."""


class JudgeTask(msgspec.Struct, gc=False):
    """One pair in one presentation order. Memory holds millions of them: texts stay in files."""

    pairs: Sequence[ResponsePair]
    index: int
    """Of its pair in `pairs`."""
    pair_key: str
    gold: Verdict
    """Letter under which the better response is shown."""
    strategy: str = ""
    """How the worse response was made."""
    outcomes: str = ""
    """A character a sample, by sample index: `CORRECT`, `WRONG`, `NEITHER`, `UNREAD`."""
    prompt_key: int = 0
    """Key of its requests' prompt, 0 until it is known: hashing long prompts takes time."""
    chosen: bool = False
    """Whether it is trained on."""
    refused: bool = False
    """Whether the judge's server refuses its prompt, so that no sample will ever be had."""

    @property
    def pair(self) -> ResponsePair:
        """Return the pair, read from its file where `pairs` is an index of one."""
        return self.pairs[self.index]

    @property
    def key(self) -> str:
        """Return `PAIR:LETTER`, for drops and for ordering."""
        return f"{self.pair_key}:{self.gold}"

    @property
    def unread(self) -> list[int]:
        """Return the indices of the samples without an outcome yet."""
        return [i for i, outcome in enumerate(self.outcomes) if outcome == UNREAD]

    @property
    def is_left(self) -> bool:
        """Return whether samples that were to be drawn have no outcome."""
        return UNREAD in self.outcomes

    def add_samples(self, samples: int) -> int:
        """Add samples that are to be drawn; return how many."""
        self.outcomes += UNREAD * samples
        return samples

    def set_outcome(self, sample: int, outcome: str) -> None:
        """Set the outcome of a sample."""
        self.outcomes = self.outcomes[:sample] + outcome + self.outcomes[sample + 1 :]

    def verdict(self, sample: int) -> Verdict | None:
        """Return the letter that a sample named, or None where its outcome does not tell."""
        outcome = self.outcomes[sample]
        if outcome == CORRECT:
            return self.gold
        return OTHER[self.gold] if outcome == WRONG else None

    def samples_with(self, outcome: str) -> list[int]:
        """Return the indices of the samples with this outcome.

        Samples are independent, so of several correct ones the first is a draw at random.
        """
        return [i for i, found in enumerate(self.outcomes) if found == outcome]

    def counts(self, max_samples: int | None = None) -> Counts:
        """Return the counts of the first `max_samples` samples, by default of all."""
        return _counts(self.outcomes[:max_samples])


@lru_cache(maxsize=4096)  # most tasks have one of a few histories
def _counts(outcomes: str) -> Counts:
    return Counts(outcomes.count(CORRECT), outcomes.count(WRONG), outcomes.count(NEITHER))


def judge_tasks(
    pairs: Sequence[ResponsePair], is_judged: Callable[[ResponsePair], bool] = lambda _: True
) -> list[JudgeTask]:
    """Return two tasks, one per order, for each pair that is to be judged, in the order of `pairs`.

    Pairs of one instruction are adjacent in a pool, so that requests with a common prefix follow
    each other, and a server reads it once.
    """
    return [
        JudgeTask(pairs, index, pair.key, order, intern(pair.strategy))
        for index, pair in enumerate(pairs)
        if is_judged(pair)
        for order in ORDERS
    ]
