"""The judge as the reward of a policy: how often its answers win. For TRL, and for axolotl.

In axolotl's config: `trl.reward_funcs: [ste_plugin.integrations.policy_reward.win_rate]`, with
settings in the environment. Judges are trained with `ste_plugin.axolotl.rewards` instead.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ste_plugin.errors import ConfigError, did_you_mean
from ste_plugin.integrations.reward_settings import settings_of_environment
from ste_plugin.integrations.scoring import (
    OPPONENTS,
    By,
    Comparer,
    Tally,
    checked_by,
    checked_opponents,
    score_answers,
)
from ste_plugin.integrations.silence import SilenceWatch
from ste_plugin.integrations.texts import read_answer, read_prompt

logger = logging.getLogger(__name__)


class WinRate:
    """A reward function for `GRPOTrainer(reward_funcs=[WinRate(Judge("runs/a"))])`.

    A completion's reward is the share of its comparisons that it wins, from 0 to 1: against others
    to the same prompt, or against the data set's column `reference`. See `score_answers`.
    """

    __name__ = "win_rate"
    """What TRL logs it as: `rewards/win_rate/mean`."""

    def __init__(
        self,
        judge: Comparer,
        *,
        reference: str | None = None,
        opponents: int = OPPONENTS,
        by: By = "verdict",
    ) -> None:
        """Take a judge and how it is used. Raises: ConfigError where a setting is out of range."""
        if not hasattr(judge, "compare_many"):
            raise ConfigError(f"judge: found {judge!r}; expected a judge, as Judge({judge!r}).")
        self._judge, self._reference = judge, reference
        self._opponents, self._by = checked_opponents(opponents), checked_by(by)
        self._watch = SilenceWatch(self._by)

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        *,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float]:
        """Return a reward for each completion; `columns`: those of the data set.

        `log_metric`: TRL's; it is told the shares of comparisons without a winner, of those that
        could not be made, and how much more often the longer answer won.
        Raises: DataError for texts that are none, for a completion with nothing to compare it
        with, and where the judge says nothing, as `SilenceWatch` sees it; ConfigError where there
        is no such column; EngineError where the judge's model or server cannot answer.
        """
        scores = score_answers(
            self._judge,
            [read_prompt(p, f"prompt {n}") for n, p in enumerate(prompts, start=1)],
            [
                read_answer(completion, prompt, f"completion {n}")
                for n, (completion, prompt) in enumerate(
                    zip(completions, prompts, strict=True), start=1
                )
            ],
            self._references(columns),
            opponents=self._opponents,
            by=self._by,
        )
        self._tell(scores.tally, log_metric)
        self._watch.see(scores.compared)
        return scores.values

    def _references(self, columns: dict[str, Any]) -> list[str] | None:
        if self._reference is None:
            return None
        if self._reference not in columns:
            own = {name for name, rows in columns.items() if isinstance(rows, list)}
            own -= {"completion_ids"}  # TRL's, as is what is no list
            raise ConfigError(
                f"reference: no column {self._reference!r} in the data set."
                f"{did_you_mean(self._reference, own)} Found {', '.join(sorted(own)) or 'none'}."
            )
        rows = enumerate(columns[self._reference], start=1)
        return [read_answer(row, where=f"{self._reference} {n}") for n, row in rows]

    def _tell(self, tally: Tally, log_metric: Callable[[str, float], None] | None) -> None:
        if log_metric:  # always the same names: TRL gathers each from all processes
            log_metric("win_rate/abstained", tally.abstained_share)
            log_metric("win_rate/unread", tally.silent / max(1, tally.compared))
            log_metric("win_rate/lean_to_longer", tally.lean_to_longer)
        if tally.problems:
            logger.warning(
                "%d of %d comparisons could not be made, and count as draws; the first: %s",
                len(tally.problems),
                tally.compared,
                tally.problems[0],
            )


def win_rate(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
    """Return a reward for each completion by the judge that `STE_REWARD_JUDGE` names.

    Raises: ConfigError where a setting is missing or wrong; else as `WinRate`.
    """
    return _of_environment()(prompts, completions, **columns)


@cache
def _of_environment() -> WinRate:
    settings = settings_of_environment()
    return WinRate(
        settings.open_judge(),
        reference=settings.reference,
        opponents=settings.opponents,
        by=settings.by,
    )
