"""Further samples where one letter of the better answer runs short."""

from collections import Counter
from collections.abc import Sequence

from ste_plugin.records import Verdict
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.sampling.sampler import JudgmentSampler
from ste_plugin.sampling.stopping_rules import Rule

_WAVE = 4


def top_up(
    sampler: JudgmentSampler, tasks: Sequence[JudgeTask], rule: Rule, max_samples: int, further: int
) -> int:
    """Draw up to `further` samples more where one letter runs short; return the samples drawn.

    A pair that is settled in one order only counts for its letter, and the longer side would have to
    give up its surplus. Questions of the shorter side are asked on, the least asked first, as many as
    are missing, until both sides are equal or all of them have had their further samples.
    """
    drawn = 0
    while due := _short_side(tasks, rule, max_samples + further):
        drawn += sum(q.want(min(_WAVE, max_samples + further - len(q.outcomes))) for q in due)
        sampler.draw(due)
        if sampler.stopped:
            break
    return drawn


def _short_side(tasks: Sequence[JudgeTask], rule: Rule, max_samples: int) -> list[JudgeTask]:
    """Return the questions to ask on: as many as the shorter side lacks."""
    open_ones = [q for q in tasks if rule(q.counts(), len(q.outcomes) + 1)]
    lacking = Counter(q.gold for q in open_ones)
    gap = abs(lacking["A"] - lacking["B"])
    short: Verdict = "A" if lacking["A"] > lacking["B"] else "B"
    due = [q for q in open_ones if q.gold == short and len(q.outcomes) < max_samples]
    return sorted(due, key=lambda q: (len(q.outcomes), q.pair_key))[:gap]
