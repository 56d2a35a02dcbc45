"""Rows that ask for the letter alone, mixed into those that reason (`dataset.verdict_share`)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import partial

from msgspec.structs import replace

from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.judging.example import Example
from ste_plugin.records import Split, Verdict, content_key
from ste_plugin.sampling.judge_task import JudgeTask

MIXED = "sft"
"""The row format that they are mixed into: one whose rows are a prompt and one right reply."""

DrawTasks = Callable[[Sequence[JudgeTask]], Collection[str]]
"""The tasks whose judgments are learnt → the keys of those that get a verdict row, too."""


def as_verdict(example: Example) -> Example:
    """Return the same pair in the same order, asked for the letter alone and answered rightly."""
    text = VERDICT.forced_text(VERDICT.closing, example.gold)
    said = replace(example.correct, text=text, thinking="", forced=True)
    judge_format = verdict_format(example.judge_format)
    return replace(example, judge_format=judge_format, correct=said, wrong=None)


def verdict_format(judge_format: JudgeFormat) -> JudgeFormat:
    """Return the format of the letter alone, by the same rubric as another where that has one."""
    return VERDICT.with_criteria(judge_format.criteria) if judge_format.criteria else VERDICT


def draw_of(config: RunConfig, split: Split) -> DrawTasks | None:
    """Return how the tasks with a verdict row are drawn; None where there are to be none.

    Held-out rows stay in the run's own format, so that losses on them can be compared.
    """
    share = config.dataset.verdict_share
    if not share or split != "train":
        return None
    return partial(draw_tasks, share=share, seed=config.seed)


def draw_tasks(tasks: Sequence[JudgeTask], share: float, seed: int) -> set[str]:
    """Return the keys of tasks, so many that a row for each is `share` of all rows.

    `tasks` are balanced. Two are drawn at a time, so that what is drawn is balanced, too: both
    orders of a pair, or, of pairs that are kept in one order, one with A and one with B.
    """
    twos = sorted(_in_twos(tasks), key=lambda two: content_key("verdict row", seed, two[0].key))
    count = round(len(twos) * share / (1 - share))
    return {task.key for two in twos[:count] for task in two}


def _in_twos(tasks: Sequence[JudgeTask]) -> list[tuple[JudgeTask, ...]]:
    of_pair: dict[str, list[JudgeTask]] = defaultdict(list)
    for task in tasks:
        of_pair[task.pair_key].append(task)
    whole = [tuple(orders) for orders in of_pair.values() if len(orders) == 2]
    single: dict[Verdict, list[JudgeTask]] = {"A": [], "B": []}
    for orders in of_pair.values():
        if len(orders) == 1:
            single[orders[0].gold].append(orders[0])
    return [*whole, *zip(single["A"], single["B"], strict=True)]


def check_verdict_share(judge_format: JudgeFormat, config: RunConfig) -> None:
    """Raise ConfigError where verdict rows are asked for beside rows that they do not go with."""
    share, name = config.dataset.verdict_share, judge_format.name
    if share and judge_format.pointwise:
        raise ConfigError(
            f"dataset.verdict_share: found {share:g} with judging.format {name}, whose rows show "
            "one answer each; expected a format that compares both answers, to mix rows of the "
            "letter alone into. Leave dataset.verdict_share out, or set judging.format to brief, "
            "criteria or plan."
        )
    if share and not judge_format.reasons:
        raise ConfigError(
            f"dataset.verdict_share: found {share:g} with judging.format {name}, whose rows are "
            "the letter alone already; expected a format with reasons, to mix such rows into. Set "
            "judging.format to brief, criteria or plan, or leave dataset.verdict_share out."
        )


def check_forced(judge_format: JudgeFormat, config: RunConfig) -> None:
    """Raise ConfigError where a verdict is to be forced in a format without closing words."""
    if config.judging.force_verdict and not judge_format.choices:
        raise ConfigError(
            f"judging.force_verdict: found true with judging.format {judge_format.name}, which has "
            "no closing words behind which a letter could be asked for; expected some. Give its "
            "file `closing`, or set judging.force_verdict: false."
        )
