"""What a judge is asked: one pair in one presentation order, and what its samples came to."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from sys import intern

import msgspec

from ste_plugin.records import ORDERS, OTHER, ResponsePair, Verdict
from ste_plugin.sampling.stopping_rules import Counts

CORRECT, WRONG, NEITHER, UNREAD = "+-0."
"""What one sample came to; `NEITHER`: no verdict, or nothing that may be used; `UNREAD`: not read yet,
or not drawn, as the budget did not reach it."""


class JudgeTask(msgspec.Struct, gc=False):
    """One pair in one presentation order. Millions of these are held: texts stay in files."""

    pairs: Sequence[ResponsePair]
    at: int
    """Where in `pairs` its pair is."""
    pair_key: str
    gold: Verdict
    """Letter under which the better response is shown."""
    strategy: str = ""
    """How the worse response was made."""
    outcomes: str = ""
    """A character a sample, by sample index: `CORRECT`, `WRONG`, `NEITHER`, `UNREAD`."""
    prompt_key: int = 0
    """Of its requests, once it is known: hashing long prompts takes time."""
    chosen: bool = False
    """Whether it is trained on."""

    @property
    def pair(self) -> ResponsePair:
        """Return the pair, read from its file where it lies in one."""
        return self.pairs[self.at]

    @property
    def key(self) -> str:
        """Return `PAIR:LETTER`, for drops and for ordering."""
        return f"{self.pair_key}:{self.gold}"

    @property
    def unread(self) -> list[int]:
        """Return the numbers of the samples that are wanted, and of which nothing is known yet."""
        return [i for i, outcome in enumerate(self.outcomes) if outcome == UNREAD]

    def want(self, samples: int) -> int:
        """Want so many samples more; return how many."""
        self.outcomes += UNREAD * samples
        return samples

    def settle(self, sample: int, outcome: str) -> None:
        """Note what a sample came to."""
        self.outcomes = self.outcomes[:sample] + outcome + self.outcomes[sample + 1 :]

    def verdict(self, sample: int) -> Verdict | None:
        """Return the letter that a sample named, as far as what it came to tells."""
        outcome = self.outcomes[sample]
        if outcome == CORRECT:
            return self.gold
        return OTHER[self.gold] if outcome == WRONG else None

    def first(self, outcome: str) -> int | None:
        """Return the lowest number of a sample of this outcome, or None.

        Samples are independent, so of several correct ones this is a draw at random.
        """
        found = self.outcomes.find(outcome)
        return None if found < 0 else found

    def counts(self, max_samples: int | None = None) -> Counts:
        """Return the counts of the first `max_samples` samples, by default of all."""
        return _counts(self.outcomes[:max_samples])


@lru_cache(maxsize=4096)  # most questions have one of a few histories
def _counts(outcomes: str) -> Counts:
    return Counts(outcomes.count(CORRECT), outcomes.count(WRONG), outcomes.count(NEITHER))


def judge_tasks(
    pairs: Sequence[ResponsePair], wanted: Callable[[ResponsePair], bool] = lambda _: True
) -> list[JudgeTask]:
    """Return the pairs that are wanted in both orders, in the order of `pairs`.

    Pairs of one instruction stand side by side in a pool, so requests that begin with the same words
    follow each other, and a server reads these once.
    """
    return [
        JudgeTask(pairs, at, pair.key, order, intern(pair.strategy))
        for at, pair in enumerate(pairs)
        if wanted(pair)
        for order in ORDERS
    ]
