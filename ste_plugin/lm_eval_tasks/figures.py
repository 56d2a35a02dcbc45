"""Which figures a task reports: every metric over all pairs, by section and by subset."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, error_of, prompt_key, value_of
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.metrics import (
    HIGHER_IS_BETTER,
    METRICS,
    OF_ODDS,
    OF_PEOPLE,
    Metric,
    acc,
    acc_pc,
    agreement,
    agreement_no_tie,
    did_not_fit_rate,
    of_votes,
)
from ste_plugin.lm_eval_tasks.settings import JudgeSettings

PLAIN = JudgeSettings()
"""One greedy verdict an order."""
NO_LABEL, ONE_PERSON = (0, 0, 0), (1, 0, 0)


class HasSubset(Protocol):
    """A labelled or a judged pair."""

    @property
    def subset(self) -> str: ...
    @property
    def section(self) -> str: ...
    @property
    def votes(self) -> tuple[int, int, int]: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric over all pairs, or over a part of them."""

    metric: Metric
    subset: str | None = None
    section: str | None = None
    """Of a section; pairs count by their weight."""
    final: bool = False
    """The plain mean of the sections."""
    higher_is_better: bool = False

    def term(self, pair: JudgedPair) -> MetricTerm | tuple[()]:
        """Return what a pair adds to it."""
        elsewhere = self.subset not in (None, pair.subset) or self.section not in (
            None,
            pair.section,
        )
        if elsewhere or not (pair.fits or self.metric is did_not_fit_rate):
            return ()
        numerator, denominator = self.metric(pair)
        if not denominator:
            return ()
        weight = pair.weight if self.final or self.section is not None else 1
        return MetricTerm(
            pair.section if self.final else "",
            f"{pair.section}/{pair.subset}" if pair.section else pair.subset,
            prompt_key(pair.prompt),
            weight * numerator,
            weight * denominator,
        )


def metrics_of(pairs: Sequence[HasSubset], settings: JudgeSettings = PLAIN) -> dict[str, Metric]:
    """Return name → metric of a task with these pairs and settings: the same for every pair."""
    people = any(pair.votes not in (NO_LABEL, ONE_PERSON) for pair in pairs)
    odds = settings.mode == "likelier" or (settings.mode == "verdict" and settings.force)
    voted = of_votes(settings.votes) if settings.mode != "likelier" else {}
    return METRICS | (OF_PEOPLE if people else {}) | (OF_ODDS if odds else {}) | voted


def figures_of(pairs: Sequence[HasSubset], settings: JudgeSettings = PLAIN) -> dict[str, Figure]:
    """Return lm-eval's name → figure: overall, final, by section, by subset; in that order.

    lm-eval splits its keys at the comma, so names hold none. Subsets and sections come in order of
    first appearance; results.json has more of them than this.
    """
    metrics = metrics_of(pairs, settings)
    found = {
        name: Figure(m, higher_is_better=name in HIGHER_IS_BETTER or name.startswith("maj@"))
        for name, m in metrics.items()
    }
    sections = distinct(pair.section for pair in pairs if pair.section)
    main: dict[str, Metric] = {"acc": acc, "acc_pc": acc_pc}
    people: dict[str, Metric] = {"agreement": agreement, "agreement_no_tie": agreement_no_tie}
    shown = main | (people if "agreement" in metrics else {})
    if sections:
        found["final"] = Figure(acc, final=True, higher_is_better=True)
        found["final_pc"] = Figure(acc_pc, final=True, higher_is_better=True)
    for section in sections:
        for name, m in main.items():
            found[key(f"{name}_section/{section}")] = Figure(
                m, section=section, higher_is_better=True
            )
    for subset in distinct(pair.subset for pair in pairs):
        for name, m in shown.items():
            found[key(f"{name}/{subset}")] = Figure(m, subset=subset, higher_is_better=True)
    return found


def distinct(names: Iterable[str]) -> list[str]:
    """Return each name once, in order of first appearance."""
    return list(dict.fromkeys(names))


def key(name: str) -> str:
    """Return a name that lm-eval does not split."""
    return name.replace(",", ";")


def with_errors(
    figures: Mapping[str, Figure], pairs: Sequence[JudgedPair], seed: int
) -> dict[str, float | None]:
    """Return every figure and, as `<name>_se`, its standard error."""
    found: dict[str, float | None] = {}
    for name, figure in figures.items():
        terms = [figure.term(pair) for pair in pairs]
        found |= {name: value_of(terms), f"{name}_se": error_of(terms, seed)}
    return found


def summarise(
    pairs: Sequence[JudgedPair], seed: int = 0, settings: JudgeSettings = PLAIN
) -> dict[str, Any]:
    """Return `{"n": pairs, "overall": figures, "sections": …, "subsets": {name: figures and n}}`.

    Sections and subsets come in order of first appearance; sections only where there are any.
    """
    every = figures_of(pairs, settings)
    metrics = metrics_of(pairs, settings)
    overall = {n: f for n, f in every.items() if f.subset is None and f.section is None}
    sections = {
        name: {"n": sum(p.section == name for p in pairs)}
        | with_errors({n: Figure(metrics[n], section=name) for n in ("acc", "acc_pc")}, pairs, seed)
        for name in distinct(p.section for p in pairs if p.section)
    }
    subsets = {}
    for name in distinct(p.subset for p in pairs):
        members = [p for p in pairs if p.subset == name]
        measured = {n: Figure(m) for n, m in metrics.items()}
        subsets[name] = {"n": len(members), **with_errors(measured, members, seed)}
    told = {"n": len(pairs), "overall": with_errors(overall, pairs, seed)}
    return told | ({"sections": sections} if sections else {}) | {"subsets": subsets}
