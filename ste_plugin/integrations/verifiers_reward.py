"""The judge as a reward of verifiers: of a rubric up to 0.1, plugged into a taskset from 0.4 on.

Needs nothing of verifiers itself; tested with 0.1.14 and 0.4.0.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Literal

from ste_plugin.errors import DataError, SteError
from ste_plugin.integrations.policy_reward import WinRate
from ste_plugin.integrations.reward_settings import RewardSettings, settings_of_environment
from ste_plugin.integrations.scoring import OPPONENTS, By, Comparer
from ste_plugin.integrations.silence import SilenceWatch
from ste_plugin.integrations.single import score_against
from ste_plugin.judge import PairwiseJudge

GroupReward = Callable[..., Awaitable[list[float]]]


class RewardFailed(BaseException):
    """A judge that cannot answer, as a rubric does not catch it.

    verifiers 0.1 turns every Exception of a reward function into a reward of 0, and trains on it.
    """


def rubric_win_rate(
    judge: Comparer,
    *,
    against: Literal["group", "answer"] = "group",
    opponents: int = OPPONENTS,
    by: By = "verdict",
) -> GroupReward:
    """Return a function for `vf.Rubric(funcs=[...])` of verifiers 0.1.

    `against`: the other completions of a prompt's group, or the data set's `answer`.
    The function raises RewardFailed where a completion cannot be scored.
    """
    reward = WinRate(
        judge,
        reference="answers" if against == "answer" else None,
        opponents=opponents,
        by=by,
    )

    async def win_rate(
        prompts: Sequence[Any], completions: Sequence[Any], answers: Sequence[Any]
    ) -> list[float]:
        try:
            return await asyncio.to_thread(reward, prompts, completions, answers=answers)
        except SteError as error:
            raise RewardFailed(f"{type(error).__name__}: {error}") from error

    return win_rate


async def win_rate(task: Any, trace: Any) -> float:
    """Return what a trace's last reply earns against an answer of the task: 1, 0, or 0.5.

    Plugged in by name, `rewards.win_rate.fn`, from verifiers 0.4 on, which records an error of it
    on the trace and leaves the reward out. The judge is the one that `STE_REWARD_JUDGE` names, and
    `STE_REWARD_REFERENCE` the task's field with the answer to compare with, by default `answer`.
    Raises: DataError where the task has no such field, its answer cannot be compared, or the judge
    says nothing, as `SilenceWatch` sees it; ConfigError for settings; EngineError where the judge's
    model or server cannot answer.
    """
    settings, judge, watch = _of_environment()
    field = settings.reference or "answer"
    reference = getattr(task, field, None)
    if reference is None:
        raise DataError(
            f"task: no field {field!r} with an answer to compare with. Name another in "
            "STE_REWARD_REFERENCE."
        )
    reply = trace.last_reply
    outcome = await score_against(judge, task.prompt_text, reply, reference, settings.by)
    if outcome.score is None:
        raise DataError(outcome.why)
    if outcome.comparison:
        watch.see([outcome.comparison])
    return outcome.score


@cache
def _of_environment() -> tuple[RewardSettings, PairwiseJudge, SilenceWatch]:
    settings = settings_of_environment()
    return settings, settings.open_judge(), SilenceWatch(settings.by)
