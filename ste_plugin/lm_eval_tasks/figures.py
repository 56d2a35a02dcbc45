"""Which figures a task reports: every metric over all pairs, by section and by subset."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ste_plugin.labelled.pair import ONE_VOTE, UNLABELLED, VoteCounts
from ste_plugin.lm_eval_tasks.authors import PREFIX, AuthorsFigure, authors_figures
from ste_plugin.lm_eval_tasks.benchmarks import BENCHMARKS
from ste_plugin.lm_eval_tasks.bootstrap import (
    MetricTerm,
    error_of,
    prompt_key,
    value_of,
)
from ste_plugin.lm_eval_tasks.calibration_figure import ECE, CalibrationFigure
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.metrics import (
    METRICS,
    OF_PEOPLE,
    Metric,
    acc,
    acc_pc,
    bounds_of,
    did_not_fit_rate,
    higher_is_better,
    of_votes,
)
from ste_plugin.lm_eval_tasks.odds_metrics import OF_ODDS, brier
from ste_plugin.lm_eval_tasks.settings import DEFAULTS, JudgeSettings
from ste_plugin.lm_eval_tasks.spread import spread_of

SPREAD = ("_se", "_interval", "_bootstrap_bias", "_n")
"""Behind a figure's name: its standard error, 95% interval, how far it is moved by having so few
prompts, and how many pairs it is of: a tie adds nothing to accuracy, what was not asked nothing to
anything."""
_ACCURACY: dict[str, Metric] = {"acc": acc, "acc_pc": acc_pc}


class HasSubset(Protocol):
    """A labelled or a judged pair."""

    @property
    def subset(self) -> str: ...
    @property
    def section(self) -> str: ...
    @property
    def votes(self) -> VoteCounts: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric over all pairs, or over a part of them."""

    metric: Metric
    subset: str | None = None
    section: str | None = None
    """Of a section; pairs count by their weight."""
    sections: tuple[str, ...] = ()
    """A final figure: the plain mean of these sections, undefined where one of them is empty."""
    higher_is_better: bool = False

    def covers(self, pair: JudgedPair) -> bool:
        """Return whether a pair is in its part, and was asked about where that matters."""
        in_subset, in_section = (
            self.subset in (None, pair.subset),
            self.section in (None, pair.section),
        )
        return in_subset and in_section and (pair.fits or self.metric is did_not_fit_rate)

    def term(self, pair: JudgedPair) -> MetricTerm | tuple[()]:
        """Return what a pair adds to it."""
        if not self.covers(pair):
            return ()
        numerator, denominator = self.metric(pair)
        if not denominator:
            return ()
        weight = pair.weight if self.sections or self.section is not None else 1
        return MetricTerm(
            pair.section if self.sections else "",
            f"{pair.section}/{pair.subset}" if pair.section else pair.subset,
            prompt_key(pair.prompt),
            weight * numerator,
            weight * denominator,
        )

    def value(self, terms: Sequence[Sequence[Any]]) -> float | None:
        """Return the figure from the terms of all pairs, or None where it is undefined."""
        return value_of(terms) if self.defined_by(terms) else None

    def error(self, terms: Sequence[Sequence[Any]], seed: int = 0) -> float | None:
        """Return its standard error, or None where it is undefined or has a single prompt."""
        return error_of(terms, seed) if self.defined_by(terms) else None

    def defined_by(self, terms: Iterable[Sequence[Any]]) -> bool:
        """Return whether no section is empty, as under a limit; a mean of the others is not it."""
        found = {MetricTerm(*term).part for term in terms if term} if self.sections else set()
        return found >= set(self.sections)


def metrics_of(pairs: Sequence[HasSubset], settings: JudgeSettings = DEFAULTS) -> dict[str, Metric]:
    """Return name → metric of a task with these pairs and settings: the same for every pair."""
    people = any(pair.votes not in (UNLABELLED, ONE_VOTE) for pair in pairs)
    odds = settings.mode == "likelier" or (settings.mode == "verdict" and settings.force)
    voted: dict[str, Metric] = {}
    if settings.votes > 1 and settings.mode != "likelier":
        voted = of_votes(settings.votes, pointwise=settings.load_judge_format().pointwise)
    return METRICS | (OF_PEOPLE if people else {}) | (OF_ODDS if odds else {}) | voted


AnyFigure = Figure | AuthorsFigure | CalibrationFigure


def figures_of(
    pairs: Sequence[HasSubset], settings: JudgeSettings = DEFAULTS
) -> dict[str, AnyFigure]:
    """Return lm-eval's name → figure: overall, final, by section, by subset, the authors' own.

    lm-eval splits its keys at the comma, so names hold none. Subsets and sections come in order of
    first appearance, then sections without a pair; results.json has more of them than this.
    """
    metrics = metrics_of(pairs, settings)
    figures: dict[str, AnyFigure] = {
        name: Figure(m, higher_is_better=higher_is_better(name)) for name, m in metrics.items()
    }
    if brier.__name__ in metrics:
        figures[ECE] = CalibrationFigure()
    sections = sections_of(pairs, settings)
    by_subset = _ACCURACY | (OF_PEOPLE if "agreement" in metrics else {})
    if every := sections_of(pairs, replace(settings, section="")):
        figures["final"] = Figure(acc, sections=every, higher_is_better=True)
        figures["final_pc"] = Figure(acc_pc, sections=every, higher_is_better=True)
    for section in sections:
        for name, m in _ACCURACY.items():
            figures[metric_key(f"{name}_section/{section}")] = Figure(
                m, section=section, higher_is_better=True
            )
    for subset in distinct(pair.subset for pair in pairs):
        for name, m in by_subset.items():
            figures[metric_key(f"{name}/{subset}")] = Figure(
                m, subset=subset, higher_is_better=True
            )
    return figures | authors_figures(settings.benchmark)


def sections_of(pairs: Sequence[HasSubset], settings: JudgeSettings) -> tuple[str, ...]:
    """Return the sections that are judged: those of the pairs, then what a limit left empty."""
    known = BENCHMARKS.get(settings.benchmark)
    judged = (settings.section,) if settings.section else known.sections if known else ()
    return tuple(distinct([*(pair.section for pair in pairs if pair.section), *judged]))


def distinct(names: Iterable[str]) -> list[str]:
    """Return each name once, in order of first appearance."""
    return list(dict.fromkeys(names))


def metric_key(name: str) -> str:
    """Return a name that lm-eval does not split."""
    return name.replace(",", ";")


def with_errors(
    figures: Mapping[str, Figure | AuthorsFigure], pairs: Sequence[JudgedPair], seed: int
) -> dict[str, Any]:
    """Return every figure with how far it may be off and of how many pairs it is, as `SPREAD` names
    it; None where unknown."""
    values: dict[str, Any] = {}
    for name, figure in figures.items():
        terms = [figure.term(pair) for pair in pairs]
        value = figure.value(terms)
        within = bounds_of(figure.metric, pairs)
        spread = None if value is None else spread_of(terms, seed, within)
        off = (spread.error, [spread.low, spread.high], spread.bias) if spread else (None,) * 3
        told = (*off, sum(map(bool, terms)))
        values |= {name: value, **dict(zip((name + s for s in SPREAD), told, strict=True))}
    return values


def pairs_counted(figures: Mapping[str, Any], metric: str, n: int) -> int:
    """Return of how many of `n` pairs a figure of results.json is: all, where it does not say."""
    counted = figures.get(metric + SPREAD[-1])
    return n if counted is None else int(counted)


def pairs_in_words(results: Mapping[str, Any], kind: str = "") -> str:
    """Return how many pairs there are, and how many of them no accuracy can count.

    Of results that do not say it, all count.
    """
    n, overall = results["n"], results["overall"]
    unasked = round(n * (overall.get(did_not_fit_rate.__name__) or 0))
    undecided = n - unasked - pairs_counted(overall, acc.__name__, n - unasked)
    out = ((undecided, "without a better answer"), (unasked, "not asked about"))
    told = ", ".join(f"{count:,} {words}" for count, words in out if count)
    return f"{n:,} {kind + ' ' if kind else ''}pairs{f' ({told})' if told else ''}"


def summarise(
    pairs: Sequence[JudgedPair], seed: int = 0, settings: JudgeSettings = DEFAULTS
) -> dict[str, Any]:
    """Return `{"n": pairs, "overall": figures, "sections": …, "subsets": …, "authors": …}`.

    Sections and subsets are name → figures and n, in order of first appearance, then sections
    without a pair. Sections and authors' figures only where there are any.
    """
    metrics = metrics_of(pairs, settings)
    overall = {
        name: figure
        for name, figure in figures_of(pairs, settings).items()
        if isinstance(figure, Figure) and figure.subset is None and figure.section is None
    }
    summary: dict[str, Any] = {"n": len(pairs), "overall": with_errors(overall, pairs, seed)}
    if brier.__name__ in metrics:
        figure = CalibrationFigure()
        terms = [figure.term(pair) for pair in pairs]
        beside = (None, None, None, sum(map(bool, terms)))
        told = dict(zip((ECE + s for s in SPREAD), beside, strict=True))
        summary["overall"] |= {ECE: figure.value(terms), **told}
    if sections := sections_of(pairs, settings):
        summary["sections"] = {name: _section(name, pairs, seed) for name in sections}
    summary["subsets"] = {
        name: _subset([p for p in pairs if p.subset == name], metrics, seed)
        for name in distinct(pair.subset for pair in pairs)
    }
    if theirs := authors_figures(settings.benchmark):
        short = {name.removeprefix(PREFIX): figure for name, figure in theirs.items()}
        summary["authors"] = with_errors(short, pairs, seed)
    return summary


def _section(name: str, pairs: Sequence[JudgedPair], seed: int) -> dict[str, Any]:
    figures = {metric: Figure(m, section=name) for metric, m in _ACCURACY.items()}
    n = sum(pair.section == name for pair in pairs)
    return {"n": n, **with_errors(figures, pairs, seed)}


def _subset(
    pairs: Sequence[JudgedPair], metrics: Mapping[str, Metric], seed: int
) -> dict[str, Any]:
    figures = {name: Figure(m) for name, m in metrics.items()}
    return {"n": len(pairs), **with_errors(figures, pairs, seed)}
