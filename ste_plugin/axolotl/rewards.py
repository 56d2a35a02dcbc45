"""What a judgment is worth in reinforcement learning.

In a config: `trl.reward_funcs: [ste_plugin.axolotl.rewards.judge_reward]`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import without_verdicts
from ste_plugin.plugins.manager import find_contribution, plugin_manager
from ste_plugin.records import OTHER, Verdict

VALID, RIGHT, RIGHT_IN_BOTH_ORDERS = 0.1, 0.6, 0.3
"""The parts of a reward, which add up to 1."""
MIN_WORDS = 5
"""Fewer before the verdict are no reasons."""


def judge_reward(
    completions: Sequence[Any],
    *,
    better_is: Sequence[Verdict],
    pair: Sequence[str],
    judge_format: Sequence[str],
    **_: Any,
) -> list[float]:
    """Return a reward between 0 and 1 for each judgment.

    One verdict, with reasons where its format asks for them, earns VALID; the right one RIGHT more;
    and a right one RIGHT_IN_BOTH_ORDERS times the share of right judgments among those of the same
    pair in the other order, as far as they are in the same batch. A bare verdict earns nothing.
    """
    verdicts = [_verdict(_text(c), name) for c, name in zip(completions, judge_format, strict=True)]
    right = [verdict == gold for verdict, gold in zip(verdicts, better_is, strict=True)]
    outcomes: dict[tuple[str, Verdict], list[bool]] = defaultdict(list)
    for key, gold, was_right in zip(pair, better_is, right, strict=True):
        outcomes[key, gold].append(was_right)

    def reward(index: int) -> float:
        if verdicts[index] is None:
            return 0.0
        if not right[index]:
            return VALID
        other = outcomes.get((pair[index], OTHER[better_is[index]]), [])
        share = sum(other) / len(other) if other else 0.0
        return VALID + RIGHT + RIGHT_IN_BOTH_ORDERS * share

    return [reward(index) for index in range(len(verdicts))]


def _verdict(text: str, format_name: str) -> Verdict | None:
    """Return the verdict of a judgment that is well formed, or None."""
    judge_format = _load_format(format_name)
    bare = judge_format.reasons and len(without_verdicts(text).split()) < MIN_WORDS
    return None if bare else judge_format.parse(text)


@cache
def _load_format(name: str) -> JudgeFormat:
    judge_format: JudgeFormat = find_contribution(
        plugin_manager([]), "ste_judge_formats", name, "judge_format"
    )
    return judge_format


def _text(completion: Any) -> str:
    """Return the words of a completion, which TRL hands over as text or as turns."""
    if isinstance(completion, str):
        return completion
    last: Mapping[str, str] = completion[-1]
    return last["content"]
