"""Shares that a judge is held to: their levels, how far they moved, and the findings in words."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Literal, NamedTuple

from ste_plugin.audit import rounds
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.held_out import INVALID_RATE, LETTER_A
from ste_plugin.audit.jackknife import Estimate, GroupedSums, Share, Sums, change
from ste_plugin.config.audit import AuditConfig
from ste_plugin.evaluation.paired_test import sign_flip_p
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.judging import JudgeFormat

CHECK = "collapse"

_NOTHING = 1e-9


class Held(NamedTuple):
    """A share that is held to a level; more of the figure is worse."""

    name: str
    of: Share
    level: float
    words: str
    """With `{value}` where the share is told."""
    cure: str
    told_as: Callable[[float], float] = lambda value: value
    """Figure → the share that people are told."""
    limit: str = "at most"
    """How what is told relates to the level."""
    is_letter: bool = False
    """Whether the share is that of A; the figure is then how far it is off one half."""
    is_of_orders: bool = False
    """Whether it is about the order of two answers in one prompt, of which ratings know none."""

    def figure(self, sums: Sums) -> float | None:
        """Return the figure of sums."""
        share = self.of(sums)
        return abs(share - 0.5) if self.is_letter and share is not None else share

    def share(self, sums: GroupedSums) -> Estimate:
        """Return the figure of a judge, with its interval within what is possible."""
        estimate = sums.share(self.of)
        return _off_one_half(estimate) if self.is_letter else estimate

    def change(self, before: GroupedSums, now: GroupedSums) -> Estimate:
        """Return how far the figure of the second judge lies above that of the first.

        Its interval is made of both figures' own, and of how far they err alike on the same pairs.
        Source: Newcombe 1998 (interval of a difference of paired proportions, method 10); Zou and
        Donner 2008.
        """
        first, second = self.share(before), self.share(now)
        moved = change(self.figure, before.width)
        both = before.beside(now)
        value = moved(both.total())
        if value is None or first.interval is None or second.interval is None:
            return Estimate(value, None)
        alike = both.correlation(
            lambda sums: self.figure(sums[: before.width]),
            lambda sums: self.figure(sums[before.width :]),
        )
        (first_down, first_up), (down, up) = first.reach(), second.reach()
        reach = (_added(down, first_up, alike), _added(up, first_down, alike))
        return Estimate(value, (value - reach[0], value + reach[1]))

    def p_worse(self, before: GroupedSums, now: GroupedSums) -> float:
        """Return how likely chance alone puts the figure so far above, of judges that are alike.

        The signs of what each group adds to the change are flipped: two judges that are the same
        could have had each other's verdicts. 1 where either figure is unknown.
        """
        groups, width = list(before.beside(now).groups.values()), before.width
        first = self._added([sums[:width] for sums in groups])
        second = self._added([sums[width:] for sums in groups])
        rise = change(self.figure, width)(before.beside(now).total())
        if rise is None:
            return 1.0
        added = [
            b - a + rise * (share_before + share_now) / 2
            for (a, share_before), (b, share_now) in zip(first, second, strict=True)
        ]
        return sign_flip_p([0.0 if abs(a) < _NOTHING else a for a in added], "more", seed=0)

    def _added(self, groups: Sequence[Sums]) -> list[tuple[float, float]]:
        """Return how far each group moves the figure, and its share of the cases."""
        total = [sum(column) for column in zip(*groups, strict=True)]
        share, cases = self.of(total) or 0.0, self.of.cases(total) or 1.0
        sign = -1 if self.is_letter and share < 0.5 else 1
        return [
            (sign * (self.of.hits(g) - share * self.of.cases(g)) / cases, self.of.cases(g) / cases)
            for g in groups
        ]

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


def _off_one_half(share: Estimate) -> Estimate:
    """Return how far a share is off one half, on either side."""
    figure = None if share.figure is None else abs(share.figure - 0.5)
    if share.interval is None:
        return Estimate(figure, None)
    low, high = share.interval[0] - 0.5, share.interval[1] - 0.5
    ends = sorted((abs(low), abs(high)))
    return Estimate(figure, (0.0 if low <= 0 <= high else ends[0], ends[1]))


def _added(first: float, second: float, alike: float) -> float:
    """Return how far a difference reaches, of two figures that reach so far."""
    return sqrt(max(0.0, first**2 + second**2 - 2 * alike * first * second))


def more_frequent(value: float) -> float:
    """Return the share of the letter that is given more often, from how far A is off one half."""
    return 0.5 + value


def meant_for(judge_format: JudgeFormat, shares: Sequence[Held]) -> list[Held]:
    """Return the shares that judgments in this format have."""
    return [held for held in shares if not (judge_format.pointwise and held.is_of_orders)]


def held_out_shares(levels: AuditConfig) -> tuple[Held, ...]:
    """Return what the judge that an iteration trained is held to on held-out pairs."""
    return (
        Held(
            "position bias",
            LETTER_A,
            levels.position_bias,
            "one letter gets {value} of its verdicts on {pairs} pairs",
            "Both orders and balanced letters keep it low: see `letters` in dataset/manifest.json.",
            more_frequent,
            is_letter=True,
            is_of_orders=True,
        ),
        Held(
            "no verdict",
            INVALID_RATE,
            levels.invalid_rate,
            "{value} of its replies on {pairs} pairs state no verdict by themselves",
            "Read some; evaluation.max_new_tokens may be too low, or the training too long.",
        ),
    )


def sampled_shares(levels: AuditConfig) -> tuple[Held, ...]:
    """Return what the judgments that were sampled for an iteration are held to."""
    return (
        Held(
            "letters",
            rounds.LETTER_A,
            levels.letters,
            "one letter gets {value} of the first judgments",
            "A judge that prefers a letter wastes samples on it, and is learning it.",
            more_frequent,
            is_letter=True,
            is_of_orders=True,
        ),
        Held(
            "forced",
            rounds.FORCED,
            levels.forced,
            "of the first judgments, {value} had to have their letter forced",
            "Turn judging.force_verdict off once the judge states verdicts by itself.",
        ),
    )


def level_finding(
    held: Held, subject: str, sums: GroupedSums, course: str, *, is_held: bool
) -> Finding:
    """Return a share, held to its level where the judge was trained."""
    estimate = held.share(sums)
    words = held.sentence(estimate.figure, course)
    words += "" if is_held else "; the seed's is only told"
    failed = is_held and estimate.above(held.level)
    level, n = held.level if is_held else None, int(held.of.cases(sums.total()))
    return share_finding(held.name, subject, estimate, level, n, failed, words, held.cure)


def change_finding(
    held: Held, subject: str, start: str, before: GroupedSums, now: GroupedSums, most: float
) -> Finding:
    """Return how far a share moved since the run began, held to the most that it may rise."""
    moved = held.change(before, now)
    told = "unknown" if moved.figure is None else f"{100 * moved.figure:+.0f} points"
    what = "strength of the preference for one letter" if held.is_letter else held.name
    words = f"{what}: {told} since {start}{_letters(held, before, now)}"
    words += f"; a rise by at most {100 * most:.0f}"
    name, n = f"{held.name} since {start}", int(held.of.cases(now.total()))
    failed = moved.above(most)
    return share_finding(name, subject, moved, most, n, failed, words, held.cure)


def _letters(held: Held, before: GroupedSums, now: GroupedSums) -> str:
    """Return that another letter is preferred now, where it is: strengths do not show that."""
    if not held.is_letter:
        return ""
    was, is_now = (held.of(sums.total()) for sums in (before, now))
    if was is None or is_now is None or (was - 0.5) * (is_now - 0.5) >= 0:
        return ""
    return f", and the letter is another one: {_preferred(was)} before, {_preferred(is_now)} now"


def _preferred(share_of_a: float) -> str:
    """Return the letter that is preferred, and how often it is given."""
    letter, share = ("A", share_of_a) if share_of_a > 0.5 else ("B", 1 - share_of_a)
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
