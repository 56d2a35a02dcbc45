"""Sampling an iteration's judgments, and what came of them: files written as they are read back."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ste_plugin.context import Iteration
from ste_plugin.dataset import filters
from ste_plugin.dataset.filters import arrange
from ste_plugin.dataset.row_writer import TrainingRows
from ste_plugin.dataset.token_counts import count_tokens
from ste_plugin.engines.identity import model_path
from ste_plugin.errors import JudgeError
from ste_plugin.judging.example import Example
from ste_plugin.pairs.pool import Pool
from ste_plugin.records import Drop, Judgment, Record, ResponsePair, Split
from ste_plugin.sampling.balance_samples import top_up
from ste_plugin.sampling.judge_task import NEITHER, JudgeTask, judge_tasks
from ste_plugin.sampling.pass_rates import always_right, mean_rate, rate_of
from ste_plugin.sampling.sampler import JudgmentSampler, no_verdict
from ste_plugin.sampling.stopping_rules import RULE_FOR_ROWS, RULES
from ste_plugin.storage.drop_log import DropLog
from ste_plugin.storage.jsonl import open_record_writer

TRAINING_SPLITS: tuple[Split, ...] = ("train", "dev")
"""Test pairs are never judged for training: they are only ever reported."""
TOPPED_UP = ("until_correct", "until_both")
"""Rules under which a letter that runs short is sampled on; the others mean what they say."""


@dataclass
class CollectedJudgments:
    """What came of the samples; the judgments themselves are in files."""

    kept: dict[Split, list[JudgeTask]] = field(default_factory=lambda: defaultdict(list))
    """Questions with a correct judgment."""
    lengths: dict[Split, list[int | None]] = field(default_factory=dict)
    """Tokens that each of `kept` takes in training, as `count_tokens` tells them."""
    counts: Counter[str] = field(default_factory=Counter)
    pass_rate: dict[str, Any] = field(default_factory=dict)
    """The mean over all pairs, as `mean_rate` tells it."""


def sample_judgments(
    iteration: Iteration, pool: Pool, sampler: JudgmentSampler, drops: DropLog
) -> tuple[dict[Split, list[JudgeTask]], int]:
    """Return the questions of each split, sampled, and how many samples letters were topped up with."""
    by_split = {s: _questions(iteration, pool, s, drops) for s in TRAINING_SPLITS}
    config = iteration.context.config
    name, max_samples, topped_up = rule_name(iteration), config.judging.samples, 0
    sampler.sample([q for s in TRAINING_SPLITS for q in by_split[s]], RULES[name], max_samples)
    if name in TOPPED_UP and not config.dataset.both_orders_only:
        further = config.judging.top_up
        for tasks in by_split.values():
            topped_up += top_up(sampler, tasks, RULES[name], max_samples, further)
    return by_split, topped_up


def collect_judgments(
    iteration: Iteration, by_split: Mapping[Split, Sequence[JudgeTask]], sampler: JudgmentSampler,
    drops: DropLog, rows: Mapping[Split, TrainingRows],
) -> CollectedJudgments:  # fmt: skip
    """Return what came of the samples; judgments, pass rates and all rows are written on the way.

    They stand in the order of the rows, so that texts are read back once.
    """
    collected = CollectedJudgments()
    context, config = iteration.context, iteration.context.config
    name, max_samples = rule_name(iteration), config.judging.samples
    model = model_path(config.judge, context.base)
    with (
        open_record_writer(iteration.folder / "judgments.jsonl") as write_judgment,
        open_record_writer(iteration.folder / "pass_rates.jsonl") as write_rate,
    ):
        reading = _Reading(sampler, name, max_samples, collected, drops, write_judgment, write_rate)
        for split, tasks in by_split.items():
            ordered = arrange(tasks, config.seed)
            examples = reading.examples(ordered, collected.kept[split], rows[split])
            collected.lengths[split] = list(count_tokens(model, examples))
    everything = [q for tasks in by_split.values() for q in tasks]
    collected.pass_rate = mean_rate(rate_of(q, RULES[name], max_samples) for q in everything)
    if context.budget.stopped and not collected.kept["train"]:
        raise no_examples_error(iteration, collected, drops)
    if not collected.counts["with_verdict"]:
        replies = collected.counts["judgments"] + collected.counts["cut_off"]
        raise no_verdict(context.judge_format, replies, sampler.example_reply(everything))
    return collected


def rule_name(iteration: Iteration) -> str:
    """Return the sampling rule: the config's, or the one that the recipe's rows need."""
    chosen = iteration.context.config.judging.sampling
    return chosen or RULE_FOR_ROWS.get(iteration.rows, "until_correct")


def _questions(iteration: Iteration, pool: Pool, split: Split, drops: DropLog) -> list[JudgeTask]:
    """Return what to ask about one split; pairs that are skipped are added to `drops`."""
    wanted: Callable[[ResponsePair], bool] = iteration.has if split == "train" else lambda _: True
    found = judge_tasks(pool.pairs[split], wanted)
    if split != "train" or not iteration.context.config.judging.skip_always_right:
        return found
    known = always_right(iteration.before / "pass_rates.jsonl")
    skipped = dict.fromkeys(q.pair_key for q in found if q.pair_key in known)
    drops.add(Drop("judging", key, "always right in the iteration before") for key in skipped)
    return [q for q in found if q.pair_key not in known]


def plugin_drop_reason(iteration: Iteration, judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return the first reason that a plugin has to drop a judgment, or None."""
    hook = iteration.context.plugins.hook.ste_drop_judgment
    if [impl.plugin_name for impl in hook.get_hookimpls()] == ["builtin"]:
        # asked millions of times, and a third of that would be pluggy's
        return filters.drop_reason(judgment, pair)
    found = hook(judgment=judgment, pair=pair)
    return str(found[0]) if found else None


@dataclass
class _Reading:
    """Reads the answers to questions back, once for everything that is made of them."""

    sampler: JudgmentSampler
    rule: str
    max_samples: int
    collected: CollectedJudgments
    drops: DropLog
    write_judgment: Callable[[Record], object]
    write_rate: Callable[[Record], object]

    def examples(
        self, tasks: Sequence[JudgeTask], kept: list[JudgeTask], rows: TrainingRows
    ) -> Iterator[Example]:
        """Yield an example of every question with a correct judgment, which `kept` and `rows` get, too."""
        for task in tasks:
            judgments = {j.sample_index: j for j in self._judgments(task)}
            self.write_rate(rate_of(task, RULES[self.rule], self.max_samples))
            reason = _reason_to_leave_out(task, self.rule)
            if reason:
                self.drops.add([Drop("dataset", task.key, reason)])
            else:
                kept.append(task)
                example = self.sampler.example(task, judgments)
                rows.add(task, example)
                yield example

    def _judgments(self, task: JudgeTask) -> Iterator[Judgment]:
        counts = self.collected.counts
        for found in self.sampler.judgments(task):
            if isinstance(found, Drop):
                counts["cut_off"] += 1
                self.drops.add([found])
                continue
            counts["judgments"] += 1
            counts["forced"] += found.forced
            counts["with_verdict"] += found.verdict is not None
            counts["correct"] += found.correct
            if task.outcomes[found.sample_index] == NEITHER:
                reason = str(self.sampler.unfit(found, task.pair))
                self.drops.add([Drop("judging", found.key, reason)])
            self.write_judgment(found)
            yield found


def _reason_to_leave_out(task: JudgeTask, rule: str) -> str | None:
    counts = task.counts()
    if not counts.correct:
        return "no correct judgment"
    outvoted = rule == "until_decided" and counts.correct <= counts.wrong
    return "the majority was not right" if outvoted else None


def no_examples_error(
    iteration: Iteration, collected: CollectedJudgments, drops: DropLog
) -> JudgeError:
    """Return the error for judgments of which none can be trained on, with the commonest reasons."""
    cure = (
        "The budget ended sampling before that: raise budget.max_tokens_total or budget.max_minutes."
        if iteration.context.budget.stopped
        else "Use a stronger seed model, more samples (judging.samples), or set judging.force_verdict: true."
    )
    counts = collected.counts
    return JudgeError(
        f"Of {counts['judgments']} judgments {counts['correct']} are right, and none can be trained "
        f"on:\n{drops.commonest()}\n{cure}"
    )
