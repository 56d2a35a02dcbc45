"""Which settings of a cascade keep a promised error, by labels: tests with exact binomial tails.

The error of those who answer only when they are sure does not fall steadily with the threshold, so
the loosest threshold whose share of wrong answers looks small enough promises nothing. Each setting
of a fixed list is tested instead, and the chance that any that errs more often passes is bounded.

Source: Angelopoulos et al. 2021, Learn then Test; Wiens 2003, A fixed sequence Bonferroni procedure
(its fallback is what hands on the level here); Clopper & Pearson 1934.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, exp, fsum, lgamma, log
from typing import NamedTuple

from ste_plugin.cascade.outcome import STAGES, Outcome, Setting, answer, entropy, is_settled
from ste_plugin.records import content_key

SURE = (0.99, 0.97, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)
"""How sure a decision is to be, as the mean over both orders; fixed before any label is seen."""
THRESHOLDS = tuple(entropy(p) for p in SURE)
_MOST = 10**7
"""More labels than this are as good as never."""


class Tested(NamedTuple):
    """What labels say of one setting."""

    setting: Setting
    answered: int
    """Prompts whose pair was answered."""
    wrong: int
    level: float
    """The chance of passing that a setting with more than the promised error may have."""
    passed: bool

    @property
    def bound(self) -> float:
        """What its error is below, but for that chance."""
        return upper_bound(self.wrong, self.answered, self.level)


def settings_of(depth: int) -> Iterator[list[Setting]]:
    """Yield the settings of each deepest stage up to a depth, the strictest threshold first."""
    for name in STAGES[:depth]:
        yield [Setting(name, threshold) for threshold in THRESHOLDS]


def one_per_prompt(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return one pair of every prompt, among those whose label prefers one answer.

    Pairs of one prompt hang together, so only one of them is evidence on its own. Which one depends
    on the keys of the pairs alone.
    """
    drawn: dict[str, Outcome] = {}
    labelled = [each for each in outcomes if each.labelled]
    for each in sorted(labelled, key=lambda o: content_key("cascade", o.key)):
        drawn.setdefault(each.prompt, each)
    return list(drawn.values())


def assess_settings(
    outcomes: Sequence[Outcome], error: float, confidence: float, depth: int
) -> list[Tested]:
    """Return all settings, tested on outcomes of different prompts.

    The chance that one passes whose share of wrong answers, of the pairs that it answers, is above
    `error` is at most 1 - `confidence`, over the draw of the prompts.
    """
    families = list(settings_of(depth))
    start = _level(confidence, depth)
    tested = []
    for family in families:
        level = 0.0
        for setting, said in zip(family, _answers(outcomes, family), strict=True):
            level += start  # a setting that passes hands its level on to the next
            found = _test(said, setting, error, level)
            tested.append(found)
            level = level if found.passed else 0.0
    return tested


def _test(said: Sequence[bool | None], setting: Setting, error: float, level: float) -> Tested:
    wrong, answered = said.count(False), len(said) - said.count(None)
    passed = answered > 0 and tail(wrong, answered, error) <= level
    return Tested(setting, answered, wrong, level, passed)


def _answers(outcomes: Sequence[Outcome], family: Sequence[Setting]) -> Iterator[list[bool | None]]:
    """Yield, of settings that differ in their threshold alone, what each answers of every pair."""
    never = Setting(family[0].deepest, -1.0)
    later = [answer(outcome, never).right for outcome in outcomes]
    first = [(o.entropy, o.right[0]) for o in outcomes]
    for setting in family:
        yield [
            right if is_settled(bits, setting.threshold) else behind
            for (bits, right), behind in zip(first, later, strict=True)
        ]


def tail(wrong: int, n: int, rate: float) -> float:
    """Return the chance of `wrong` or fewer of n where each is wrong at a rate.

    >>> tail(0, 2, 0.1)
    0.81
    """
    if wrong >= n or rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    odds = log(rate), log(1 - rate)
    whole = lgamma(n + 1)
    terms = (
        exp(whole - lgamma(k + 1) - lgamma(n - k + 1) + k * odds[0] + (n - k) * odds[1])
        for k in range(wrong + 1)
    )
    return round(min(1.0, fsum(terms)), 15)


def upper_bound(wrong: int, n: int, miss: float) -> float:
    """Return what the rate of wrong ones is below, but for a chance of `miss`; exact.

    >>> round(upper_bound(0, 28, 0.05), 3), upper_bound(0, 0, 0.05)
    (0.101, 1.0)
    """
    if wrong >= n:
        return 1.0
    low, high = wrong / n, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(wrong, n, middle) > miss else (low, middle)
    return high


def fewest(error: float, level: float) -> int:
    """Return how many answers, none of them wrong, it takes to promise an error.

    >>> fewest(0.1, 0.05)
    29
    """
    return ceil(log(level) / log(1 - error) - 1e-12)


def more_prompts(tested: Iterable[Tested], prompts: int, error: float) -> int | None:
    """Return about how many more prompts the promise takes, if they are like these.

    Where these err too often, but are too few to say that all do: how many it takes at least. None
    where they do say it of every setting, so that no number would help.
    """
    some = list(tested)
    needed = [n for each in some if (n := _needed(each, prompts, error)) is not None]
    if not needed:
        needed = [
            ceil(fewest(error, each.level) * prompts / each.answered)
            for each in some
            if each.answered and not errs_too_often(each, error)
        ]
    return max(1, min(needed) - prompts) if needed else None


def errs_too_often(tested: Tested, error: float) -> bool:
    """Return whether labels show, but for a chance of 5%, that a setting cannot keep a promise."""
    right = tested.answered - tested.wrong
    return 1 - upper_bound(right, tested.answered, 0.05) >= error


def least_prompts(error: float, confidence: float, depth: int) -> int:
    """Return how many prompts it takes at least, were all answered and none of them wrong.

    >>> least_prompts(0.1, 0.95, 1), least_prompts(0.1, 0.95, 3)
    (51, 61)
    """
    return fewest(error, _level(confidence, depth))


def _level(confidence: float, depth: int) -> float:
    """Return the chance of passing that each setting has before another one hands on its own."""
    return (1 - confidence) / (depth * len(THRESHOLDS))


def _needed(tested: Tested, prompts: int, error: float) -> int | None:
    """Return with how many prompts a setting would pass that answers and errs as it did here."""
    if not tested.answered:
        return None
    rate, share = tested.wrong / tested.answered, tested.answered / prompts
    if rate >= error:
        return None
    level, low, high = tested.level, 0, fewest(error, tested.level)
    while tail(ceil(rate * high), high, error) > level:
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        passes = tail(ceil(rate * middle), middle, error) <= level
        low, high = (low, middle) if passes else (middle, high)
    return ceil(high / share)
