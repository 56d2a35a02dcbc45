"""Figures as a benchmark's authors compute them, beside those that every task reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ste_plugin.judging.verdict import letter_of
from ste_plugin.lm_eval_tasks.benchmarks.judgebench import JUDGEBENCH, SOURCES, SPLITS
from ste_plugin.lm_eval_tasks.benchmarks.llmbar import LLMBAR, SUBSETS
from ste_plugin.lm_eval_tasks.benchmarks.mtbench_human import MTBENCH_HUMAN
from ste_plugin.lm_eval_tasks.benchmarks.rmbench import DIFFICULTIES, RMBENCH, SECTIONS
from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, error_of, prompt_key, value_of
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.metrics import (
    NOTHING,
    Metric,
    Ratio,
    acc_strict,
    in_both_orders,
    prefers_one,
    with_people,
    with_people_no_tie,
)

PREFIX = "authors/"
"""How their names begin."""


def by_subset(pair: JudgedPair) -> str:
    """Return the subset of a pair."""
    return pair.subset


@dataclass(frozen=True, slots=True)
class AuthorsFigure:
    """A metric over some parts of a benchmark, whose plain mean it is."""

    metric: Metric
    parts: tuple[str, ...]
    """It is undefined where one of them has no pair."""
    part_of: Callable[[JudgedPair], str] = by_subset
    higher_is_better: bool = True

    def term(self, pair: JudgedPair) -> MetricTerm | tuple[()]:
        """Return what a pair adds to it; nothing if it was not asked about."""
        part = self.part_of(pair)
        numerator, denominator = self.metric(pair) if pair.fits else NOTHING
        if part not in self.parts or not denominator:
            return ()
        stratum = "/".join((pair.section, pair.subset, pair.group))
        return MetricTerm(part, stratum, prompt_key(pair.prompt), numerator, denominator)

    def value(self, terms: Sequence[Sequence[Any]]) -> float | None:
        """Return the figure from the terms of all pairs, or None where it is undefined."""
        return value_of(terms) if self._defined_by(terms) else None

    def error(self, terms: Sequence[Sequence[Any]], seed: int = 0) -> float | None:
        """Return its standard error, or None where it is undefined or has a single prompt."""
        return error_of(terms, seed) if self._defined_by(terms) else None

    def _defined_by(self, terms: Sequence[Sequence[Any]]) -> bool:
        return {MetricTerm(*term).part for term in terms if term} >= set(self.parts)


@dataclass(frozen=True, slots=True)
class Authors:
    """How a benchmark's authors compute its figures."""

    told: str
    """In words."""
    source: str
    figures: Mapping[str, AuthorsFigure] = field(default_factory=dict)


def net_right(pair: JudgedPair) -> Ratio:
    """More right than wrong verdicts over the orders; as many of both count as not right."""
    given = [order.final == order.gold for order in pair.orders if letter_of(order.final)]
    return float(2 * sum(given) > len(given)), 1


def same_answer(pair: JudgedPair) -> Ratio:
    """The same response preferred in both orders, or no verdict or a tie in both.

    Of ratings none.
    """
    silent = not any(letter_of(order.final) for order in pair.orders)
    return in_both_orders(pair, silent or prefers_one(pair), not pair.rated)


def with_experts(pair: JudgedPair) -> Ratio:
    """Agreement with each vote that counts; two orders that differ are a tie, silence is none."""
    return with_people(pair, pair.counted_votes or pair.votes)


def with_experts_no_tie(pair: JudgedPair) -> Ratio:
    """The same, where neither the judge nor that person says tie."""
    return with_people_no_tie(pair, pair.counted_votes or pair.votes)


def by_domain_and_difficulty(pair: JudgedPair) -> str:
    """Return RM-Bench's domain and difficulty of a pair."""
    return f"{pair.section}/{pair.subset}"


def by_source(pair: JudgedPair) -> str:
    """Return the family of the model that wrote the answers, and the source of the question."""
    return f"{pair.subset}/{pair.group}"


def _rmbench() -> dict[str, AuthorsFigure]:
    every = [(domain, level) for domain in SECTIONS for level in DIFFICULTIES]
    figures = {level: [part for part in every if part[1] == level] for level in DIFFICULTIES}
    figures |= {domain: [part for part in every if part[0] == domain] for domain in SECTIONS}
    return {
        name: AuthorsFigure(acc_strict, tuple(map("/".join, parts)), by_domain_and_difficulty)
        for name, parts in (figures | {"average": every}).items()
    }


def _judgebench() -> dict[str, AuthorsFigure]:
    figures = {split: AuthorsFigure(net_right, (split,)) for split in SPLITS}
    for part in (f"{split}/{source}" for split in SPLITS for source in SOURCES):
        figures[part] = AuthorsFigure(net_right, (part,), by_source)
    return figures


def _llmbar() -> dict[str, AuthorsFigure]:
    adversarial = tuple(subset for subset in SUBSETS if subset != "Natural")
    parts = {subset: (subset,) for subset in SUBSETS} | {"Adversarial": adversarial}
    figures = {name: AuthorsFigure(acc_strict, subsets) for name, subsets in parts.items()}
    equal = {f"equal/{name}": AuthorsFigure(same_answer, each) for name, each in parts.items()}
    return figures | equal


def _mtbench_human() -> dict[str, AuthorsFigure]:
    metrics = {"agreement": with_experts, "agreement_no_tie": with_experts_no_tie}
    return {
        f"{name}/{turn}": AuthorsFigure(metric, (turn,))
        for name, metric in metrics.items()
        for turn in ("turn 1", "turn 2")
    }


AUTHORS: dict[str, Authors] = {
    RMBENCH.name: Authors(
        "Right verdicts (no verdict is wrong) in each domain, all of safety being one; easy, "
        "normal and hard are the plain means of the four domains, a domain that of these three, "
        "`average` that of all.",
        "`compute_accuracy` in scripts/utils.py, THU-KEG/RM-Bench",
        _rmbench(),
    ),
    JUDGEBENCH.name: Authors(
        "Pairs with more right than wrong verdicts over both orders; each model's answers apart, "
        "and by the source of the question.",
        "`compute_final_metrics`, ScalerLab/JudgeBench",
        _judgebench(),
    ),
    LLMBAR.name: Authors(
        "Right verdicts over both orders (no verdict is wrong), and how often both orders say the "
        "same (`equal`); `Adversarial` is the plain mean of its four subsets.",
        "LLMEvaluator/evaluate.py, princeton-nlp/LLMBar",
        _llmbar(),
    ),
    MTBENCH_HUMAN.name: Authors(
        "As `agreement` and `agreement_no_tie`, of the experts' votes alone: the data set has the "
        "authors' own votes, too.",
        "`get_mt_bench_agreement`, lm-sys/FastChat",
        _mtbench_human(),
    ),
}
"""Of the others: RewardBench's and RewardBench 2's are `final` and `acc_section`, HelpSteer2's
published none of judges."""


def authors_figures(benchmark: str) -> dict[str, AuthorsFigure]:
    """Return name → figure of a benchmark; none where its authors' are those of every task."""
    known = AUTHORS.get(benchmark)
    return {PREFIX + name: figure for name, figure in known.figures.items()} if known else {}
