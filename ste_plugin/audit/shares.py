"""Shares that a judge is held to: their levels, how far they moved, and the findings in words."""

from collections.abc import Mapping
from typing import NamedTuple

from ste_plugin.audit import rounds
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.held_out import INVALID_RATE, POSITION_BIAS
from ste_plugin.audit.jackknife import Estimate, Figure, GroupedSums, change

CHECK = "collapse"

MOST_CHANGE = 0.1
"""Of a share since the run began: ten points that no chance explains are a drift, not noise."""


class Held(NamedTuple):
    """A share that is held to a level; more of it is worse."""

    name: str
    figure: Figure
    level: float
    words: str
    cure: str


HELD_OUT = (
    Held(
        "position bias",
        POSITION_BIAS,
        0.2,
        "the share of A among its verdicts on {pairs} pairs is off one half by",
        "Both orders and balanced letters keep it low: see `letters` in dataset/manifest.json.",
    ),
    Held(
        "no verdict",
        INVALID_RATE,
        0.1,
        "replies on {pairs} pairs that state no verdict by themselves are a share of",
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
        "the share of A among first judgments is off one half by",
        "A judge that prefers a letter wastes samples on it, and is learning it.",
    ),
    Held(
        "forced",
        rounds.FORCED,
        0.5,
        "first judgments whose letter had to be forced are a share of",
        "Turn judging.force_verdict off once the judge states verdicts by itself.",
    ),
)
"""Of the judgments that were sampled for an iteration."""


def judge_name(number: int) -> str:
    """Return what sentences call the judge of an iteration."""
    return f"iteration {number}" if number else "the seed"


def shown(estimate: Estimate) -> str:
    """Return a figure and its interval."""
    if estimate.figure is None:
        return "unknown"
    if estimate.interval is None:
        return f"{estimate.figure:.3f}"
    low, high = estimate.interval
    return f"{estimate.figure:.3f} ({low:.3f} to {high:.3f})"


def course_of(figures: Mapping[int, float | None]) -> str:
    """Return a figure of each iteration, in their order."""
    return ", ".join(
        f"{judge_name(n)} {value:.3f}" for n, value in figures.items() if value is not None
    )


def level_finding(
    held: Held, subject: str, sums: GroupedSums, course: str, *, is_held: bool
) -> Finding:
    """Return a share, held to its level where the judge was trained."""
    estimate = sums.share(held.figure)
    n = int(max(sums.total()))
    words = f"{held.words} {shown(estimate)}, at most {held.level:g}"
    words += f" ({course})" if course else ""
    words += "" if is_held else "; the seed's is only told"
    failed = is_held and estimate.above(held.level)
    level = held.level if is_held else None
    return share_finding(held.name, subject, estimate, level, n, failed, words, held.cure)


def change_finding(
    held: Held, subject: str, start: str, before: GroupedSums, now: GroupedSums
) -> Finding:
    """Return how far a share moved since the run began."""
    moved = before.beside(now).estimate(change(held.figure, before.width))
    words = f"{held.name} moved by {shown(moved)} since {start}, at most {MOST_CHANGE:g}"
    return share_finding(
        f"{held.name} since {start}",
        subject,
        moved,
        MOST_CHANGE,
        int(max(now.total())),
        moved.above(MOST_CHANGE),
        words,
        held.cure,
    )


def share_finding(
    name: str,
    subject: str,
    estimate: Estimate,
    threshold: float | None,
    n: int,
    failed: bool,
    words: str,
    cure: str,
) -> Finding:
    interval = estimate.interval
    return Finding(
        CHECK, name, subject, estimate.figure, interval, threshold, n, failed, f"{words}.", cure
    )
