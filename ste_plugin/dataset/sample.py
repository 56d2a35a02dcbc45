"""Sampling an iteration's judgments: which prompts the judge answers, and how often."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ste_plugin.context import Iteration, draw_stage
from ste_plugin.dataset import filters
from ste_plugin.dataset.reviewed import Reviewed, drops_of
from ste_plugin.errors import DataError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.pairs.pool_files import Pool
from ste_plugin.records import Drop, Judgment, ResponsePair, Split
from ste_plugin.sampling.balance_samples import balance_samples
from ste_plugin.sampling.judge_task import JudgeTask, judge_tasks
from ste_plugin.sampling.pass_rates import read_always_right
from ste_plugin.sampling.sampler import JudgmentSampler
from ste_plugin.sampling.stopping_rules import CONSTRUCTED, RULE_FOR_ROWS, RULES
from ste_plugin.storage.drop_log import DropLog

TRAINING_SPLITS: tuple[Split, ...] = ("train", "dev")
"""Test pairs are never judged for training: they are only ever reported."""
TOPPED_UP_RULES = ("until_correct", "until_both")
"""Rules under which a letter that runs short gets further samples; the others fix their number."""


@dataclass(frozen=True, slots=True)
class DatasetStage:
    """What the steps of one iteration's stage share."""

    iteration: Iteration
    pool: Pool
    completions: CompletionStore
    sampler: JudgmentSampler
    drops: DropLog
    reviewed: Reviewed | None = None
    """What people said of the pairs, where that counts."""


@dataclass(frozen=True, slots=True)
class SampledTasks:
    """The judge tasks of an iteration, sampled."""

    by_split: dict[Split, list[JudgeTask]]
    topped_up: int
    """Further samples drawn where one letter ran short."""


def check_parts(iteration: Iteration, pool: Pool) -> None:
    """Tell how many training pairs each iteration has, where each has its own.

    Raises: DataError where an iteration, or a stage of one, has none.
    """
    config = iteration.context.config
    recipes, iterations = config.training.recipe, range(1, config.parts + 1)
    found = Counter(draw_stage(pair.split_key, config) for pair in pool.pairs["train"])
    names = {
        (part, stage): f"iteration {part}" + (f" ({recipe})" if len(recipes) > 1 else "")
        for part in iterations
        for stage, recipe in enumerate(recipes, start=1)
    }
    if empty := [name for key, name in names.items() if not found[key]]:
        raise DataError(
            f"training.instructions: fresh leaves no training pair for {' and '.join(empty)}: "
            f"{found.total()} pairs are split into {len(names)} parts, by instruction; expected "
            "one or more in each. Give more instructions, or lower iterations, or leave "
            "training.instructions out."
        )
    counts = [sum(found[key] for key in names if key[0] == part) for part in iterations]
    iteration.context.progress.say(
        f"training pairs of iterations 1 to {config.parts}, no instruction in two of them: "
        f"{', '.join(map(str, counts))}"
    )


def sample_judgments(stage: DatasetStage) -> SampledTasks:
    """Return the judge tasks of the training splits, after drawing all of their samples."""
    iteration, config = stage.iteration, stage.iteration.context.config
    by_split = {split: _tasks_of(stage, split) for split in TRAINING_SPLITS}
    name, max_samples = rule_name(iteration), config.judging.samples
    every_task = [task for tasks in by_split.values() for task in tasks]
    stage.sampler.sample(every_task, RULES[name], max_samples)
    if name not in TOPPED_UP_RULES or iteration.whole_pairs:
        return SampledTasks(by_split, 0)
    topped_up = sum(
        balance_samples(stage.sampler, tasks, RULES[name], max_samples + config.judging.top_up)
        for tasks in by_split.values()
    )
    return SampledTasks(by_split, topped_up)


def rule_name(iteration: Iteration) -> str:
    """Return the sampling rule: the config's, or what the recipe's rows and the format need."""
    context, rows = iteration.context, iteration.rows
    letters = context.judge_format.only_choices and rows == "sft"
    usual = CONSTRUCTED if letters else "until_correct"
    return context.config.judging.sampling or RULE_FOR_ROWS.get(rows, usual)


def _tasks_of(stage: DatasetStage, split: Split) -> list[JudgeTask]:
    """Return the judge tasks of one split; pairs that are skipped are added to the drops."""
    iteration = stage.iteration
    wanted: Callable[[ResponsePair], bool] = iteration.has if split == "train" else lambda _: True
    tasks = _right_for_people(stage, judge_tasks(stage.pool.pairs[split], wanted))
    if split != "train" or not iteration.context.config.judging.skip_always_right:
        return tasks
    known = _always_right_before(iteration)
    skipped = dict.fromkeys(task.pair_key for task in tasks if task.pair_key in known)
    stage.drops.add(Drop("judging", key, "always right in the iteration before") for key in skipped)
    return [task for task in tasks if task.pair_key not in known]


def _always_right_before(iteration: Iteration) -> set[str]:
    """Return the keys of the pairs that the iteration before always judged right, in this stage of
    it: other stages judge other instructions."""
    if iteration.number == 1:
        return set()
    before = iteration.context.folder.iteration(iteration.number - 1, iteration.stage)
    return read_always_right(before / "pass_rates.jsonl")


def _right_for_people(stage: DatasetStage, tasks: list[JudgeTask]) -> list[JudgeTask]:
    """Return the tasks of pairs that people do not call wrong; the others' pairs become drops."""
    wrong = set(stage.reviewed.wrong) if stage.reviewed else ()
    left_out = dict.fromkeys(task.pair_key for task in tasks if task.pair_key in wrong)
    stage.drops.add(drops_of(list(left_out)))
    return [task for task in tasks if task.pair_key not in left_out]


def plugin_drop_reason(iteration: Iteration, judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return the first plugin's reason to drop a judgment, or None."""
    hook = iteration.context.plugins.hook.ste_drop_judgment
    if [impl.plugin_name for impl in hook.get_hookimpls()] == ["builtin"]:
        # called millions of times, and a third of that would be pluggy's
        return filters.drop_reason(judgment, pair)
    reasons = hook(judgment=judgment, pair=pair)
    return str(reasons[0]) if reasons else None
