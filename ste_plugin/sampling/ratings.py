"""Judgments in a pointwise format: one sample of a pair is a rating of each of its answers."""

from collections.abc import Sequence

from msgspec.structs import replace

from ste_plugin.context import Iteration
from ste_plugin.engines.base import Completion
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.judging.verdict import letter_of
from ste_plugin.records import OTHER, Drop, Judgment, ResponsePair, Verdict
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.sampling.sampler import DropReason, InFlight, JudgmentSampler
from ste_plugin.sampling.stopping_rules import Rule

NOT_BESIDE = "no usable score of the other answer that differs"
"""Why a rating is no verdict though it gives a score."""


def open_sampler(
    iteration: Iteration, store: CompletionStore, dropped: DropReason
) -> JudgmentSampler:
    """Return what samples judgments in the run's format."""
    pointwise = iteration.context.judge_format.pointwise
    return (RatingSampler if pointwise else JudgmentSampler)(iteration, store, dropped)


class RatingSampler(JudgmentSampler):
    """Samples ratings: the two tasks of a pair show an answer each, and have the same outcomes.

    Both of a pair's tasks are sampled together. A rating that is dropped leaves the other without
    a verdict.
    """

    def __init__(self, iteration: Iteration, store: CompletionStore, dropped: DropReason) -> None:
        super().__init__(iteration, store, dropped)
        self._tasks: dict[str, JudgeTask] = {}

    def sample(self, tasks: Sequence[JudgeTask], rule: Rule, max_samples: int) -> None:
        """Draw samples of both tasks of every pair, as the rule says."""
        self._tasks |= {task.key: task for task in tasks}
        super().sample(tasks, rule, max_samples)

    def drop_reason(self, judgment: Judgment, pair: ResponsePair) -> str | None:
        """Return why a rating must not be trained on, or None."""
        if judgment.verdict is None and self._judge_format.parse(judgment.text) is not None:
            return NOT_BESIDE
        return super().drop_reason(judgment, pair)

    def _settle(self, asked: InFlight, reply: Completion) -> None:
        """Leave it until the wave is over: the rating of the other answer may be to come."""

    def _read(self, task: JudgeTask, sample: int) -> Judgment | Drop | None:
        other = self._tasks[f"{task.pair_key}:{OTHER[task.gold]}"]
        found, others = self._find(task, sample), self._find(other, sample)
        if not found or not others:
            return None
        own, theirs = (
            self._judgment(task, sample, *found),
            self._judgment(other, sample, *others),
        )
        task.refused |= other.refused
        if isinstance(own, Drop) or isinstance(theirs, Drop):
            return own
        own, theirs = self._decided(own, theirs)
        dropped = self._own_drop_reason(theirs, task.pair)
        return replace(own, verdict=None) if dropped else own

    def _decided(self, *ratings: Judgment) -> tuple[Judgment, ...]:
        """Return both ratings of a pair, each with the verdict that it has beside the other."""
        scores = [self._judge_format.parse(rating.text) for rating in ratings]
        verdicts = map(self._judge_format.decide, scores, reversed(scores))
        return tuple(
            replace(rating, verdict=letter_of(verdict))
            for rating, verdict in zip(ratings, verdicts, strict=True)
        )

    def _verdict(self, task: JudgeTask, sample: int, text: str) -> Verdict | None:
        """Return None: one rating alone is no verdict."""
        return None
