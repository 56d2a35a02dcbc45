"""Collecting an iteration's judgments: read back once, and written to files as they are read."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ste_plugin.dataset.filters import arrange
from ste_plugin.dataset.kept_judgment import chooser
from ste_plugin.dataset.row_writer import TrainingRows
from ste_plugin.dataset.sample import DatasetStage, SampledTasks, rule_name
from ste_plugin.dataset.token_counts import count_tokens
from ste_plugin.errors import JudgeError
from ste_plugin.judging.example import Example
from ste_plugin.judging.fault import names_fault
from ste_plugin.records import Drop, Judgment, Record, Split
from ste_plugin.sampling.judge_task import NEITHER, JudgeTask
from ste_plugin.sampling.pass_rates import PassRate, estimate_pass_rate, mean_rate
from ste_plugin.sampling.sampler import no_verdict_error
from ste_plugin.sampling.stopping_rules import CONSTRUCTED, RULES
from ste_plugin.storage.jsonl import open_record_writer


@dataclass
class CollectedJudgments:
    """The outcome of an iteration's samples; the judgments themselves are in files."""

    kept: dict[Split, list[JudgeTask]] = field(default_factory=lambda: defaultdict(list))
    """Tasks with a correct judgment, or whose right letter is learnt whatever was said."""
    lengths: dict[Split, list[int | None]] = field(default_factory=dict)
    """Tokens of each task in `kept` as a training row, as `count_tokens` yields them."""
    counts: Counter[str] = field(default_factory=Counter)
    """`judgments`, `forced`, `with_verdict`, `correct`, `cut_off`, `topped_up`; `of_faults` of the
    correct ones, of pairs with a named fault, and `naming_faults` of these → how many."""
    pass_rate: dict[str, Any] = field(default_factory=dict)
    """The mean over all pairs, as `mean_rate` returns it."""


def collect_judgments(
    stage: DatasetStage, sampled: SampledTasks, rows: Mapping[Split, TrainingRows]
) -> CollectedJudgments:
    """Return the outcome of the samples; judgments, pass rates and all rows are written meanwhile.

    They are written in the order of the rows, so that each text is read back once.
    Raises: JudgeError where no reply has a verdict, or none is correct and the budget is spent.
    """
    collected = CollectedJudgments()
    collected.counts["topped_up"] = sampled.topped_up
    context, folder = stage.iteration.context, stage.iteration.folder
    with (
        open_record_writer(folder / "judgments.jsonl") as write_judgment,
        open_record_writer(folder / "pass_rates.jsonl") as write_rate,
    ):
        reader = _JudgmentReader(stage, collected, write_judgment, write_rate)
        for split, tasks in sampled.by_split.items():
            ordered = arrange(tasks, context.config.seed)
            examples = reader.examples(ordered, collected.kept[split], rows[split])
            collected.lengths[split] = list(
                count_tokens(context.config.judge, context.base, examples)
            )
    tasks = [task for tasks in sampled.by_split.values() for task in tasks]
    collected.pass_rate = mean_rate(map(reader.rate, tasks))
    _check_verdicts(stage, collected, tasks)
    return collected


def _check_verdicts(
    stage: DatasetStage, collected: CollectedJudgments, tasks: Sequence[JudgeTask]
) -> None:
    context, counts = stage.iteration.context, collected.counts
    spent = context.budget.stopped and not collected.kept["train"]
    if spent or not counts["judgments"]:
        raise no_examples_error(stage, collected)
    if not counts["with_verdict"]:
        replies = counts["judgments"] + counts["cut_off"]
        raise no_verdict_error(context.judge_format, replies, stage.sampler.example_reply(tasks))


class _JudgmentReader:
    """Reads the judgments of tasks back, and writes all that is derived from them."""

    def __init__(
        self,
        stage: DatasetStage,
        collected: CollectedJudgments,
        write_judgment: Callable[[Record], object],
        write_rate: Callable[[Record], object],
    ) -> None:
        self._sampler, self._drops, self._counts = stage.sampler, stage.drops, collected.counts
        self._write_judgment, self._write_rate = write_judgment, write_rate
        self._rule = rule_name(stage.iteration)
        context = stage.iteration.context
        self._max_samples = context.config.judging.samples
        self._choose = chooser(context.config, context.base)
        self._pointwise = context.judge_format.pointwise

    def examples(
        self, tasks: Sequence[JudgeTask], kept: list[JudgeTask], rows: TrainingRows
    ) -> Iterator[tuple[Example, ...]]:
        """Yield what is learnt of each task that has an example; `kept` and `rows` get it, too.

        That is one example in every judge format that `rows` writes.
        """
        for task in tasks:
            judgments = {j.sample_index: j for j in self._judgments(task)}
            self._write_rate(self.rate(task))
            if reason := _drop_reason(task, self._rule):
                self._drops.add([Drop("dataset", task.key, reason)])
                continue
            kept.append(task)
            yield rows.add(task, self._example(task, judgments))

    def _example(self, task: JudgeTask, judgments: Mapping[int, Judgment]) -> Example:
        if self._rule == CONSTRUCTED:
            return self._sampler.constructed(task, judgments)
        return self._sampler.example(task, judgments, self._choose)

    def rate(self, task: JudgeTask) -> PassRate:
        """Return the pass rate of a task."""
        return estimate_pass_rate(task, RULES[self._rule], self._max_samples)

    def _judgments(self, task: JudgeTask) -> Iterator[Judgment]:
        """Yield a task's judgments, each counted and written; replies without one are drops."""
        counts = self._counts
        for judgment in self._sampler.judgments(task):
            if isinstance(judgment, Drop):
                counts["cut_off"] += 1
                self._drops.add([judgment])
                continue
            counts["judgments"] += 1
            counts["forced"] += judgment.forced
            counts["with_verdict"] += judgment.verdict is not None
            counts["correct"] += judgment.correct
            if judgment.correct and task.pair.fault and self._shows_worse(task):
                counts["of_faults"] += 1
                counts["naming_faults"] += names_fault(task.pair, judgment.reply)
            if task.outcomes[judgment.sample_index] == NEITHER:
                reason = str(self._sampler.drop_reason(judgment, task.pair))
                self._drops.add([Drop("judging", judgment.key, reason)])
            self._write_judgment(judgment)
            yield judgment

    def _shows_worse(self, task: JudgeTask) -> bool:
        """Return whether the prompt shows the worse answer, whose fault may be named."""
        return not self._pointwise or task.gold == "B"


def _drop_reason(task: JudgeTask, rule: str) -> str | None:
    """Return why a task yields no example, or None."""
    counts = task.counts()
    if rule == CONSTRUCTED:
        return None if counts.correct or counts.wrong else "no judgment that may be used"
    if not counts.correct:
        return "no correct judgment"
    outvoted = rule == "until_decided" and counts.correct <= counts.wrong
    return "the majority was not right" if outvoted else None


_ADVICE = {
    "dpo": "A row for DPO is a right and a wrong judgment of one prompt, and no prompt has both. "
    "Raise judging.samples or judging.temperature, make harder pairs (pairs.strategies), or train "
    "on right judgments alone (a recipe without rl).",
    "grpo": "GRPO learns pairs in both orders, and none was judged right in both. Raise "
    "judging.samples, or train by SFT first: training.recipe: [sft-lora-8b, grpo-lora-8b].",
}
"""Row format → what to do where judgments are kept, and no such row can be made of them."""


def no_examples_error(
    stage: DatasetStage, collected: CollectedJudgments, rows: str = ""
) -> JudgeError:
    """Return the error for judgments that leave nothing to train on, with the commonest reasons.

    `rows`: the format of which there is no row, though judgments were kept.
    """
    advice = (
        "Use a stronger seed model, more samples (judging.samples), or set "
        "judging.force_verdict: true."
    )
    if not collected.counts["judgments"]:
        advice = "Mend what these reasons name; judging.max_new_tokens is a judgment's token limit."
    if collected.kept["train"] and stage.iteration.context.config.dataset.match:
        advice = (
            "dataset.match leaves none: all pairs lean one way. Use other pairs.strategies or more "
            "instructions, or leave match out."
        )
    advice = _ADVICE.get(rows, advice)
    if stage.iteration.context.budget.stopped:
        advice = (
            "The budget ended sampling before that: raise budget.max_tokens_total or "
            "budget.max_minutes."
        )
    counts = collected.counts
    return JudgeError(
        f"Of {counts['judgments']} judgments {counts['correct']} are right, and none can be "
        f"trained on:\n{stage.drops.commonest()}\n{advice}"
    )
