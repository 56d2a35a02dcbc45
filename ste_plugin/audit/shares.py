"""Shares that a judge is held to: their levels, how far they moved, and the findings in words."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from ste_plugin.audit import rounds
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.held_out import INVALID_RATE, POSITION_BIAS, TOWARD_A
from ste_plugin.audit.jackknife import Estimate, Figure, GroupedSums, change, clipped
from ste_plugin.evaluation.shipped import judge_name

CHECK = "collapse"

MOST_CHANGE = 0.1
"""Of a share since the run began: ten points that no chance explains are a drift, not noise."""


class Held(NamedTuple):
    """A share that is held to a level; more of the figure is worse."""

    name: str
    figure: Figure
    level: float
    words: str
    """With `{value}` where the share is told."""
    cure: str
    told_as: Callable[[float], float] = lambda value: value
    """Figure → the share that people are told."""
    limit: str = "at most"
    """How what is told relates to the level."""
    toward_a: Figure | None = None
    """Of a preference for a letter, whose strength is the figure: that of A, below 0 for B."""

    def share(self, sums: GroupedSums) -> Estimate:
        """Return the figure of a judge, with its interval within what is possible."""
        return sums.share(self.figure, self._most)

    def change(self, before: GroupedSums, now: GroupedSums) -> Estimate:
        """Return how far the figure of the second judge lies above that of the first."""
        moved = before.beside(now).estimate(change(self.figure, before.width))
        return clipped(moved, -self._most, self._most)

    @property
    def _most(self) -> float:
        """The most that the figure can be: a letter's share is at most a half off one half."""
        return 1.0 if self.toward_a is None else 0.5

    def sentence(self, value: float | None, others: str = "") -> str:
        """Return the figure in words, and its level; `others` are told beside it."""
        if value is None:
            return "there is nothing to compute it of"
        beside = f" ({others})" if others else ""
        told = self.words.replace("{value}", self.percent(value))
        return f"{told}{beside}; {self.limit} {self.percent(self.level)}"

    def percent(self, value: float) -> str:
        """Return what people are told of a value of the figure."""
        return f"{self.told_as(value):.0%}"

    def course(self, figures: Mapping[int, float | None]) -> str:
        """Return the figure of each iteration, in their order."""
        known = {n: value for n, value in figures.items() if value is not None}
        return ", ".join(f"{judge_name(n)} {self.percent(value)}" for n, value in known.items())


def more_frequent(value: float) -> float:
    """Return the share of the letter that is given more often, from how far A is off one half."""
    return 0.5 + value


HELD_OUT = (
    Held(
        "position bias",
        POSITION_BIAS,
        0.2,
        "one letter gets {value} of its verdicts on {pairs} pairs",
        "Both orders and balanced letters keep it low: see `letters` in dataset/manifest.json.",
        more_frequent,
        toward_a=TOWARD_A,
    ),
    Held(
        "no verdict",
        INVALID_RATE,
        0.1,
        "{value} of its replies on {pairs} pairs state no verdict by themselves",
        "Read some; evaluation.max_new_tokens may be too low, or the training too long.",
    ),
)
"""Of the judge that an iteration trained. At a bias of 0.2 two pairs in five get one letter in both
orders, so that no more than three can be judged right."""
SAMPLED = (
    Held(
        "letters",
        rounds.LETTERS,
        0.2,
        "one letter gets {value} of the first judgments",
        "A judge that prefers a letter wastes samples on it, and is learning it.",
        more_frequent,
        toward_a=rounds.letter_a,
    ),
    Held(
        "forced",
        rounds.FORCED,
        0.5,
        "of the first judgments, {value} had to have their letter forced",
        "Turn judging.force_verdict off once the judge states verdicts by itself.",
    ),
)
"""Of the judgments that were sampled for an iteration."""


def level_finding(
    held: Held, subject: str, sums: GroupedSums, course: str, *, is_held: bool
) -> Finding:
    """Return a share, held to its level where the judge was trained."""
    estimate = held.share(sums)
    words = held.sentence(estimate.figure, course)
    words += "" if is_held else "; the seed's is only told"
    failed = is_held and estimate.above(held.level)
    level, n = held.level if is_held else None, int(max(sums.total()))
    return share_finding(held.name, subject, estimate, level, n, failed, words, held.cure)


def change_finding(
    held: Held, subject: str, start: str, before: GroupedSums, now: GroupedSums
) -> Finding:
    """Return how far a share moved since the run began."""
    moved = held.change(before, now)
    told = "unknown" if moved.figure is None else f"{100 * moved.figure:+.0f} points"
    what = held.name if held.toward_a is None else "strength of the preference for one letter"
    words = f"{what}: {told} since {start}{_letters(held, before, now)}"
    words += f"; a rise by at most {100 * MOST_CHANGE:.0f}"
    name, n = f"{held.name} since {start}", int(max(now.total()))
    failed = moved.above(MOST_CHANGE)
    return share_finding(name, subject, moved, MOST_CHANGE, n, failed, words, held.cure)


def _letters(held: Held, before: GroupedSums, now: GroupedSums) -> str:
    """Return that another letter is preferred now, where it is: strengths do not show that."""
    if held.toward_a is None:
        return ""
    was, is_now = (held.toward_a(sums.total()) for sums in (before, now))
    if was is None or is_now is None or was * is_now >= 0:
        return ""
    return f", and the letter is another one: {_preferred(was)} before, {_preferred(is_now)} now"


def _preferred(toward_a: float) -> str:
    """Return the letter that is preferred, and how often it is given."""
    letter, share = "A" if toward_a > 0 else "B", more_frequent(abs(toward_a))
    return f"always {letter}" if share == 1 else f"{letter} in {share:.0%}"


def share_finding(
    name: str,
    subject: str,
    estimate: Estimate,
    threshold: float | None,
    n: int,
    failed: bool,
    words: str,
    cure: str,
    limit: Literal["most", "least"] = "most",
) -> Finding:
    figure, interval = estimate.figure, estimate.interval
    if interval is None:
        figure, words = None, undecided_words(words)
    words = f"{words}."
    return Finding(CHECK, name, subject, figure, interval, threshold, n, failed, words, cure, limit)


def undecided_words(words: str) -> str:
    """Return the words of a figure that so few prompts give that it has no interval."""
    return f"undecided, of too few prompts: {words}"
