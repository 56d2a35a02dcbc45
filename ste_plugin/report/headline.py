"""What a run came to, in words: which round is shipped, by how much it beats the seed, and whether
that is more than noise."""

from dataclasses import dataclass
from typing import Any

from ste_plugin.evaluation.compare import Comparison
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.report.cost_section import counts_of, total_of
from ste_plugin.report.figures import LABELS, MAIN, estimate_of, main_metric
from ste_plugin.report.parts import Estimate, Paragraph
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.text.numbers import between, decimals, duration, percent


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure in large type."""

    label: str
    value: str
    below: str
    """What it is held against."""


@dataclass(frozen=True, slots=True)
class Headline:
    """What stands above all sections."""

    title: str
    paragraphs: tuple[Paragraph, ...]
    tiles: tuple[Tile, ...]


def make_headline(run: RunFigures) -> Headline:
    """Return the finding of a run, finished or not."""
    shown = run.shown
    if shown is None:
        return Headline("No judge was measured yet.", (Paragraph(_what_is_missing(run)),), ())
    name = next(iter(shown.results))
    paragraphs = [*_gain(run, shown, name), *_warnings(run, shown, name)]
    return Headline(_title(run, shown, name), tuple(paragraphs), tuple(_tiles(run, shown, name)))


def _title(run: RunFigures, shown: Round, name: str) -> str:
    metric = main_metric(shown.results[name])
    value = estimate_of(shown.results[name]["overall"], metric).value
    if value is None:
        return f"{shown.name.capitalize()} was measured on {name}, which has no labels."
    figure = f"{MAIN[metric]} {percent(value)}"
    where = f" of the {name} pairs" if metric in ("acc_pc", "acc") else f" on {name}"
    who = "The seed" if shown.number == 0 else shown.name.capitalize()
    seed = run.seed_results(name).get("overall", {})
    before = estimate_of(seed, metric).value if shown.number else None
    then = f", the seed on {percent(before)}" if before is not None else ""
    if run.best is not None and shown.number:
        chosen = run.keep == "best" and "dev" in shown.results
        how = "the best" if chosen else "the last, which is kept"
        return f"{who} is {how}: {figure}{where}{then}."
    if run.best == 0:
        return f"The seed is kept: {figure}{where}."
    return f"{who} is {figure}{where}{then}."


def _gain(run: RunFigures, shown: Round, name: str) -> list[Paragraph]:
    found = run.comparison(0, shown.number)
    comparison = found.comparisons.get(name) if found else None
    if comparison is None:
        why = found.refused.get(name) or found.refused.get("") if found else None
        return [Paragraph(f"It cannot be compared with the seed: {why}", "note")] if why else []
    return [Paragraph(_in_words(comparison, shown), tone_of(comparison) or "note")]


def _in_words(comparison: Comparison, later: Round) -> str:
    """Return what a comparison of the seed with a later round says."""
    return comparison.sentence(judge_name(0), judge_name(later.number))


def tone_of(comparison: Comparison) -> Any:
    """Return `good` or `bad` where a difference is more than noise, else nothing."""
    if not comparison.more_than_noise:
        return ""
    return "good" if comparison.acc_pc.difference > 0 else "bad"


def _warnings(run: RunFigures, shown: Round, name: str) -> list[Paragraph]:
    told = []
    if run.best is None:
        told.append(Paragraph(_what_is_missing(run), "note"))
    elif run.best == 0:
        told.append(Paragraph(f"{_why_the_seed(run)}, so the seed is kept.", "note"))
        told += _last_against_seed(run, name)
    told += [
        Paragraph(f"{r.name.capitalize()} breaks a gate and is not shipped: see Gates.", "bad")
        for r in run.rounds
        if r.gates.get("broken")
    ]
    if name == "dev" and shown.number and run.keep == "best":
        told.append(
            Paragraph(
                "There are no test pairs. The dev pairs also chose the judge, so that their figure "
                "flatters it.",
                "note",
            )
        )
    elif name not in ("test", "dev"):
        told.append(Paragraph("No pairs were held out: figures are those of benchmarks.", "note"))
    failed = [
        f for findings in run.findings.get(shown.number, {}).values() for f in findings if f.failed
    ]
    if failed:
        figures = "figure beyond its" if len(failed) == 1 else "figures beyond their"
        ends = "" if len(failed) == 1 else "s"
        words = f"The audit found {len(failed)} {figures} threshold{ends}: see Audit."
        told.append(Paragraph(words, "bad"))
    return told


def _why_the_seed(run: RunFigures) -> str:
    if _all_break_gates(run):
        return "Every iteration breaks a gate"
    return "No iteration beat the seed on the dev pairs"


def _all_break_gates(run: RunFigures) -> bool:
    trained = [r for r in run.rounds if r.number]
    return bool(trained) and all(r.gates.get("broken") for r in trained)


def _last_against_seed(run: RunFigures, name: str) -> list[Paragraph]:
    """Return how the last iteration does on pairs that do not choose, where the seed is kept."""
    last = run.measured[-1]
    found = run.comparison(0, last.number)
    comparison = found.comparisons.get(name) if found else None
    if name == "dev" or comparison is None:
        return []
    is_better = tone_of(comparison) == "good"
    words = f"The {name} pairs choose nothing. {_in_words(comparison, last)}"
    if is_better and not _all_break_gates(run):
        n = run.shown.results.get("dev", {}).get("n", 0) if run.shown else 0
        words += f" Are {n:,} dev pairs enough to choose by (dataset.dev_fraction)?"
    return [Paragraph(words, "note")]


def _what_is_missing(run: RunFigures) -> str:
    """Return how far an unfinished run has come."""
    done = sum(r.report is not None for r in run.rounds if r.number)
    return (
        f"Not finished: {done} of {run.config.iterations} iterations are done"
        f"{'' if run.measured else ', and not even the seed is measured'}. No judge is chosen yet; "
        "`ste run` goes on."
    )


def _tiles(run: RunFigures, shown: Round, name: str) -> list[Tile]:
    overall = shown.results[name]["overall"]
    seed = run.seed_results(name).get("overall", {})
    metrics = {
        main_metric(shown.results[name]): "",
        "acc": "",
        "pos_bias": "signed",
        "invalid_rate": "",
    }
    tiles = [
        _figure_tile(metric, estimate_of(overall, metric), estimate_of(seed, metric), shown)
        for metric in metrics
        if overall.get(metric) is not None
    ]
    kinds = ("prompt_tokens", "generated_tokens")
    tokens = sum(total_of(counts_of(r), kind) or 0 for r in run.rounds for kind in kinds)
    tokens += sum(run.pool.get("cost", {}).get(kind, 0) for kind in kinds)
    took = Tile("time", duration(sum(run.seconds.values())), f"{tokens:,} tokens read and written")
    return [*tiles, took]


def _figure_tile(metric: str, now: Estimate, before: Estimate, shown: Round) -> Tile:
    signed = metric.endswith("bias")
    reach = between(now.interval, signed=signed)
    held = f"seed {decimals(before.value, signed=signed)}" if shown.number else ""
    return Tile(
        LABELS[metric],
        decimals(now.value, signed=signed),
        "\n".join(filter(None, [reach, held])),
    )
