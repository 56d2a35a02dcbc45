"""More samples for the letter with fewer usable judgments."""

from collections import Counter
from collections.abc import Sequence

from ste_plugin.records import Verdict
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.sampling.sampler import JudgmentSampler
from ste_plugin.sampling.stopping_rules import Rule

_WAVE = 4


def balance_samples(
    sampler: JudgmentSampler, tasks: Sequence[JudgeTask], rule: Rule, max_samples: int
) -> int:
    """Draw more samples for the letter with fewer settled tasks; return how many were drawn.

    A pair that is settled in one order only counts for its letter alone, and the surplus of one
    letter is dropped from the data set. So open tasks of the other letter, those with the fewest
    samples first, get more, until both letters have as many or all of them have had `max_samples`.
    """
    drawn = 0
    while wave := _tasks_of_scarce_letter(tasks, rule, max_samples):
        drawn += sum(t.add_samples(min(_WAVE, max_samples - len(t.outcomes))) for t in wave)
        sampler.draw(wave)
        sampler.end_wave()
        if sampler.stopped:
            break
    return drawn


def _tasks_of_scarce_letter(
    tasks: Sequence[JudgeTask], rule: Rule, max_samples: int
) -> list[JudgeTask]:
    """Return the tasks to draw more samples for: as many as the scarce letter lacks."""
    unsettled = [t for t in tasks if not t.refused and rule(t.counts(), len(t.outcomes) + 1)]
    lacking = Counter(t.gold for t in unsettled)
    gap = abs(lacking["A"] - lacking["B"])
    scarce: Verdict = "A" if lacking["A"] > lacking["B"] else "B"
    candidates = [t for t in unsettled if t.gold == scarce and len(t.outcomes) < max_samples]
    return sorted(candidates, key=lambda t: (len(t.outcomes), t.pair_key))[:gap]
