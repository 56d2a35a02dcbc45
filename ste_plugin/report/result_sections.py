"""What the judges of a run can do: every round with intervals, tested against the one before."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any

from ste_plugin.evaluation.compare import Comparison
from ste_plugin.lm_eval_tasks.calibration_figure import ECE, CalibrationFigure
from ste_plugin.lm_eval_tasks.figures import SPREAD, pairs_counted, pairs_in_words
from ste_plugin.lm_eval_tasks.metrics import METRICS, OF_PEOPLE
from ste_plugin.lm_eval_tasks.odds_metrics import OF_ODDS
from ste_plugin.report.compared import Compared
from ste_plugin.report.figures import LABELS, MAIN, estimate_of, main_metric
from ste_plugin.report.parts import (
    Cell,
    Column,
    Details,
    Estimate,
    Lines,
    Mark,
    Panel,
    Paragraph,
    Part,
    Section,
    Strip,
    Table,
)
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.report.reliability import reliability_parts
from ste_plugin.text.numbers import p_text

_WATCHED = ("acc", "consistency", "pos_bias", "len_bias", "invalid_rate")
"""What is plotted beside the main figure."""
_EXPLAINED: dict[str, Any] = {**METRICS, **OF_PEOPLE, **OF_ODDS, ECE: CalibrationFigure}


def result_sections(run: RunFigures) -> list[Section]:
    """Return the sections about figures; none before anything is measured."""
    if run.shown is None:
        return []
    held = run.held_against_seed or run.shown
    return [_rounds(run, run.shown), *_evaluations(run, held)]


def _rounds(run: RunFigures, shown: Round) -> Section:
    ring = "" if run.best is None else " The ring is the judge that is shipped."
    parts: list[Part] = [
        Paragraph(f"Bands are 95% intervals.{ring}", "note"),
        Lines([_panel(run, name, shown) for name in run.names]),
    ]
    parts += [*_comparisons(run, shown), *_refusals(run)]
    name = next(iter(shown.results))
    watched = [m for m in _WATCHED if _measured(run, name, m)]
    if len(run.measured) > 1 and watched:
        parts.append(Paragraph(f"What else moved, on the {name} pairs:"))
        parts.append(Lines([_panel(run, name, shown, m) for m in watched], shared=False))
    return Section("Rounds", "rounds", parts)


def _measured(run: RunFigures, name: str, metric: str) -> bool:
    return any(estimate_of(overall, metric).value is not None for overall in _overall(run, name))


def _overall(run: RunFigures, name: str) -> list[Mapping[str, Any]]:
    return [r.results.get(name, {}).get("overall", {}) for r in run.measured]


def _panel(run: RunFigures, name: str, shown: Round, metric: str = "") -> Panel:
    """Return one metric over the rounds, by default the one that judges are compared by."""
    known = _any_results(run, name)
    main = metric or main_metric(known)
    points = [
        (r.name, estimate_of(overall, main))
        for r, overall in zip(run.measured, _overall(run, name), strict=True)
    ]
    n = pairs_counted(known["overall"], main, known["n"])
    return Panel(
        title=LABELS[main] if metric else name,
        points=points,
        chosen=[r.number for r in run.measured].index(shown.number)
        if run.best is not None
        else None,
        note="" if metric else f"{LABELS[main]}, {n:,} pairs",
    )


def _any_results(run: RunFigures, name: str) -> Mapping[str, Any]:
    return next(r.results[name] for r in run.measured if name in r.results)


_Row = tuple[str, str, Comparison]


def _comparisons(run: RunFigures, shown: Round) -> Iterable[Part]:
    """Yield the shown round against the seed and, on request, all against the ones before."""
    held = run.held_against_seed or shown
    with_seed = run.comparison(0, held.number)
    others = [found for found in run.compared if found is not with_seed]
    if with_seed and (rows := list(_comparison_rows([with_seed]))):
        yield _comparison_table(rows)
    if rows := list(_comparison_rows(others)):
        yield Details("Every round against the one before", [_comparison_table(rows)])


def _comparison_rows(compared: Iterable[Compared]) -> Iterable[_Row]:
    """Yield (rounds, pairs, how they compare)."""
    for found in compared:
        rounds = f"{_short(found.first)} → {_short(found.second)}"
        for name, comparison in found.comparisons.items():
            yield rounds, name, comparison


def _short(number: int) -> str:
    return str(number) if number else "seed"


def _comparison_table(rows: Sequence[_Row]) -> Table:
    ends = [abs(e) for *_, c in rows for e in (c.acc_pc.interval or (c.acc_pc.difference,))]
    reach = ceil(max([0.1, *ends]) * 10) / 10
    columns = [
        Column("pairs"),
        Column("iterations"),
        Column("difference", "plot", (-reach, reach), zero=0.0),
        Column("and its 95% interval", "number"),
        Column("won", "number"),
        Column("lost", "number"),
        Column("p", "number"),
        Column("more than noise?"),
    ]
    caption = (
        "Gain and its test: pairs that the later judge gets right in both orders and the earlier "
        "does not (won), and the other way round (lost). p-values of comparisons with the seed are "
        "corrected after Holm over all sets but dev; those between iterations are not."
    )
    return Table(columns, [_comparison_cells(row) for row in rows], caption)


def _comparison_cells(row: _Row) -> list[Any]:
    rounds, name, comparison = row
    d = comparison.acc_pc
    estimate = Estimate(d.difference, d.interval, signed=True)
    answer = "no"
    if comparison.more_than_noise:
        answer = "yes, better" if d.difference > 0 else "yes, worse"
    strip = Strip((Mark("difference", estimate),))
    p = p_text(comparison.p if comparison.p_corrected is None else comparison.p_corrected)
    return [name, rounds, strip, estimate, comparison.won, comparison.lost, p, answer]


def _refusals(run: RunFigures) -> list[Part]:
    """Return why some could not be compared, and what was measured differently, each once."""
    told = {
        f"{name or 'Rounds'}: not compared, {why.removesuffix('.')}."
        for found in run.compared
        for name, why in found.refused.items()
    } | {
        f"{name}: measured differently, {comparison.differs}."
        for found in run.compared
        for name, comparison in found.comparisons.items()
        if comparison.differs
    }
    return [Paragraph(text, "note") for text in sorted(told)]


def _evaluations(run: RunFigures, shown: Round) -> list[Section]:
    held_out = [n for n in run.names if n in ("test", "dev")]
    others = [n for n in run.names if n not in held_out]
    sections = []
    for title, anchor, names in (
        ("Held-out pairs", "held-out", held_out),
        ("Benchmarks", "benchmarks", others),
    ):
        parts = [part for name in names for part in _evaluation(run, shown, name)]
        if parts:
            sections.append(Section(title, anchor, parts))
    return sections


def _evaluation(run: RunFigures, shown: Round, name: str) -> list[Part]:
    known = _any_results(run, name)
    metrics = [metric for metric in LABELS if _measured(run, name, metric)]
    rows: list[list[Cell]] = [
        [r.name, *(estimate_of(overall, metric) for metric in metrics)]
        for r, overall in zip(run.measured, _overall(run, name), strict=True)
        if overall
    ]
    columns = [Column("round"), *(Column(LABELS[metric], "number") for metric in metrics)]
    once = known.get("settings", {}).get("mode") == "official"
    shown_in = "one order each" if once else "both orders"
    caption = f"{name}: {pairs_in_words(known)}, {shown_in}."
    parts: list[Part] = [Table(columns, rows, caption)] if metrics else []
    for kind in ("sections", "subsets"):
        parts += _by_part(run, shown, name, kind)
    return [*parts, *reliability_parts(run, shown, name), *_every_metric(run, name)]


def _by_part(run: RunFigures, shown: Round, name: str, kind: str) -> list[Part]:
    """Return a dot and its interval for every section or subset, the seed's beside."""
    latest = shown if name in shown.results else _latest(run, name)
    by_part = latest.results[name].get(kind) or {}
    if len(by_part) < 2:
        return []
    seed = run.seed_results(name).get(kind) or {}
    metric = next((m for m in MAIN if any(p.get(m) is not None for p in by_part.values())), "acc")
    with_seed = latest.number > 0 and bool(seed)
    rows: list[list[Cell]] = [
        [part, _strip(latest, figures, seed.get(part, {}), metric, with_seed)]
        + ([estimate_of(seed.get(part, {}), metric)] if with_seed else [])
        + [estimate_of(figures, metric), pairs_counted(figures, metric, figures["n"])]
        for part, figures in by_part.items()
    ]
    columns = [
        Column("section" if kind == "sections" else "kind of pair"),
        Column(LABELS[metric], "plot"),
        *([Column("seed", "number")] if with_seed else []),
        Column(latest.name, "number"),
        Column("pairs", "number"),
    ]
    what = "section" if kind == "sections" else "kind of pair"
    return [Table(columns, rows, f"{name}: {LABELS[metric]}, by {what}.")]


def _latest(run: RunFigures, name: str) -> Round:
    return [r for r in run.measured if name in r.results][-1]


def _strip(
    latest: Round, figures: Mapping[str, Any], seed: Mapping[str, Any], metric: str, with_seed: bool
) -> Strip:
    now = Mark(latest.name, estimate_of(figures, metric))
    before = Mark("seed", estimate_of(seed, metric), faint=True)
    return Strip((before, now) if with_seed else (now,))


def _every_metric(run: RunFigures, name: str) -> list[Part]:
    """Return a table of every metric × round, shown on request."""
    rounds = [r for r in run.measured if name in r.results]
    metrics = [
        metric
        for metric, value in rounds[-1].results[name]["overall"].items()
        if not metric.endswith(SPREAD) and (value is None or isinstance(value, int | float))
    ]
    rows: list[list[Cell]] = [
        [m, *(estimate_of(r.results[name]["overall"], m) for r in rounds), _meaning(m)]
        for m in metrics
    ]
    columns = [Column("metric"), *(Column(r.name, "number") for r in rounds), Column("meaning")]
    title = f"Every metric on {name}"
    return [Details(title, [Table(columns, rows, f"{title}.", wordy=True)])] if rows else []


def _meaning(metric: str) -> str:
    """Return the first line of a metric's docstring; nothing of what is not ours."""
    return ((_EXPLAINED[metric].__doc__ or "") if metric in _EXPLAINED else "").split("\n")[0]
