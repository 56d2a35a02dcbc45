"""Sampling an iteration's judgments, and gathering what came of them while they are read back."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ste_plugin.completions import CompletionFile
from ste_plugin.dataset import Example, example_of
from ste_plugin.errors import JudgeError
from ste_plugin.judgments import JudgmentSampler, Question, no_verdict, questions_of, top_up
from ste_plugin.pass_rates import PassRate, always_right, rate_of
from ste_plugin.pool import Pool
from ste_plugin.records import Drop, Judgment, ResponsePair, Split
from ste_plugin.sampling import RULE_FOR_ROWS, RULES
from ste_plugin.session import Iteration
from ste_plugin.store import replace_records

TRAINING_SPLITS: tuple[Split, ...] = ("train", "dev")
"""Test pairs are never judged for training: they are only ever reported."""
TOPPED_UP = ("until_correct", "until_both")
"""Rules under which a letter that runs short is sampled on; the others mean what they say."""


@dataclass
class Harvest:
    """What came of the samples, gathered while they are read back."""

    examples: dict[Split, list[Example]] = field(default_factory=dict)
    rates: list[PassRate] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def harvested(iteration: Iteration, pool: Pool, file: CompletionFile) -> Harvest:
    """Return what came of sampling all pairs; judgments.jsonl is written on the way."""
    harvest = Harvest()
    sampler = JudgmentSampler(iteration, file, lambda *judged: drop_reason(iteration, *judged))
    by_split = {s: questions_of(_pairs(iteration, pool, s, harvest.drops)) for s in TRAINING_SPLITS}
    everything = [question for split in TRAINING_SPLITS for question in by_split[split]]
    session, config = iteration.session, iteration.session.config
    name, most = rule_name(iteration), config.judging.samples
    sampler.sample(everything, RULES[name], most)
    if name in TOPPED_UP and not config.dataset.both_orders_only:
        further = config.judging.top_up
        for questions in by_split.values():
            harvest.counts["topped_up"] += top_up(sampler, questions, RULES[name], most, further)
    read = (
        judgment
        for split, questions in by_split.items()
        for judgment in _read(iteration, sampler, split, questions, harvest)
    )
    replace_records(iteration.folder / "judgments.jsonl", read)
    if session.budget.stopped and not harvest.examples["train"]:
        raise nothing_kept(iteration, harvest)
    if not harvest.counts["with_verdict"]:
        replies = harvest.counts["judgments"] + harvest.counts["cut_off"]
        raise no_verdict(session.judge_format, replies, sampler.example_reply(everything))
    return harvest


def rule_name(iteration: Iteration) -> str:
    """Return the sampling rule: the config's, or the one that the recipe's rows need."""
    chosen = iteration.session.config.judging.sampling
    return chosen or RULE_FOR_ROWS.get(iteration.rows, "until_correct")


def _pairs(iteration: Iteration, pool: Pool, split: Split, drops: list[Drop]) -> list[ResponsePair]:
    """Return the pairs to judge; those skipped are added to `drops`."""
    if split != "train":
        return pool.pairs[split]
    mine = [pair for pair in pool.pairs[split] if iteration.has(pair)]
    if not iteration.session.config.judging.skip_always_right:
        return mine
    known = always_right(iteration.before / "pass_rates.jsonl")
    reason = "always right in the iteration before"
    drops += [Drop("judging", pair.key, reason) for pair in mine if pair.key in known]
    return [pair for pair in mine if pair.key not in known]


def drop_reason(iteration: Iteration, judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return the first reason that a plugin has to drop a judgment, or None."""
    found = iteration.session.plugins.hook.ste_drop_judgment(judgment=judgment, pair=pair)
    return str(found[0]) if found else None


def _read(
    iteration: Iteration, sampler: JudgmentSampler, split: Split, questions: Sequence[Question],
    harvest: Harvest,
) -> Iterator[Judgment]:  # fmt: skip
    """Yield the judgments of one split; what they make is added to `harvest` meanwhile."""
    session, name = iteration.session, rule_name(iteration)
    examples = harvest.examples.setdefault(split, [])
    for question in questions:
        found = sampler.judgments(question)
        judgments = [j for j in found if isinstance(j, Judgment)]
        yield from judgments
        harvest.drops += [d for d in found if isinstance(d, Drop)]
        harvest.rates.append(rate_of(question, RULES[name], session.config.judging.samples))
        harvest.counts += Counter(
            judgments=len(judgments),
            cut_off=len(found) - len(judgments),
            forced=sum(j.forced for j in judgments),
            with_verdict=sum(j.verdict is not None for j in judgments),
            correct=sum(j.correct for j in judgments),
        )
        example, dropped = example_of(
            question.pair, question.order, judgments, session.judge_format,
            lambda *judged: drop_reason(iteration, *judged),
        )  # fmt: skip
        harvest.drops += dropped
        if example and name == "until_decided" and _outvoted(question):
            harvest.drops.append(Drop("dataset", example.key, "the majority was not right"))
        elif example:
            examples.append(example)


def _outvoted(question: Question) -> bool:
    counts = question.counts()
    return counts.correct <= counts.wrong


def nothing_kept(iteration: Iteration, harvest: Harvest) -> JudgeError:
    """Return the error for judgments of which none can be trained on, with the commonest reasons."""
    reasons = Counter(d.reason for d in harvest.drops).most_common(5)
    told = "\n".join(f"  {n} x {reason}" for reason, n in reasons)
    cure = (
        "The budget ended sampling before that: raise budget.max_tokens_total or budget.max_minutes."
        if iteration.session.budget.stopped
        else "Use a stronger seed model, more samples (judging.samples), or set judging.force_verdict: true."
    )
    counts = harvest.counts
    return JudgeError(
        f"Of {counts['judgments']} judgments {counts['correct']} are right, and none can be trained "
        f"on:\n{told}\n{cure}"
    )
