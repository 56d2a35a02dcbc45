"""Signs of self-confirmation: judges that get surer of what they say without being right more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from ste_plugin.audit.certainty import (
    ALWAYS,
    FIGURES,
    FIRST,
    FIRST_RIGHT,
    QUESTIONS,
    SURE,
    Certainty,
    changes,
    read_held_out,
    read_sampled,
)
from ste_plugin.audit.jackknife import Estimate as Figured
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.report.parts import Cell, Column, Details, Estimate, Paragraph, Part, Section, Table
from ste_plugin.report.read_run import RunFigures

RIGHT, ENTROPY, ERRORS = FIGURES
_WHAT = (
    "A loop that learns from its own verdicts can come to confirm itself. The sign: confident "
    f"errors (verdicts on the worse answer, given in at least {SURE:.0%} of samples or with "
    "that likelihood) grow, while the judge is right no more often than before. Verdicts that get "
    "more alike are no such sign where it gets better."
)
_ENTROPY = (
    "Entropy of verdicts: how likely two verdicts on one question (a pair in one order) differ; 0 "
    "is always the same, 0.5 a coin between A and B."
)
_UNBIASED = (
    "Sampling that stops at a correct judgment draws more where the judge is wrong. So the pass "
    "rate is the estimate of `pass_rates.jsonl`, which is unbiased over pairs, and entropy is of "
    "what the first two samples say."
)
_STOPPED = (
    "Sampling stops at the first correct judgment: nobody knows of how many questions all would be "
    "right, and confident errors are rather too few, as a question that was judged right is asked "
    "no more."
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One judge on one set of questions."""

    name: str
    said: Certainty


def certainty_sections(run: RunFigures) -> list[Section]:
    """Return the section; none where neither judgments nor votes nor likelihoods are kept.

    Raises: DataError where a file of the run is damaged.
    """
    parts = [*_of_samples(run, list(_sampled(run)))]
    for name in run.names:
        parts += _of_held_out(name, list(_held_out(run, name)))
    if not parts:
        return []
    return [Section("Self-confirmation", "self-confirmation", [Paragraph(_WHAT), *parts])]


def _sampled(run: RunFigures) -> Iterator[_Row]:
    for r in run.rounds:
        for stage in range(1, len(run.config.training.recipe) + 1) if r.number else ():
            found = read_sampled(run.folder.iteration(r.number, stage), r.number)
            if found is not None and found.sums.total()[QUESTIONS]:
                own = f"stage {stage}" if stage > 1 else f"judged by {judge_name(found.judged_by)}"
                yield _Row(f"{r.name} ({own})", found)


def _held_out(run: RunFigures, name: str) -> Iterator[_Row]:
    for r in run.measured:
        if name in r.results and (found := read_held_out(r.folder / "eval" / name)):
            yield _Row(r.name, found)


def _of_samples(run: RunFigures, rows: Sequence[_Row]) -> Iterator[Part]:
    """Yield what is told of the judgments that data sets were sampled from."""
    if not rows:
        return
    yield _figures(rows, f"Judgments sampled for each round's data set. {_ENTROPY} {_UNBIASED}")
    yield from _trends(rows)
    yield _distribution(rows)
    if any(row.said.rule == "until_correct" for row in rows):
        yield Paragraph(_STOPPED, "note")
    if run.config.judging.skip_always_right and len(rows) > 1:
        told = (
            "Pairs that were always right are left out of the next round (skip_always_right), so "
            "that later rounds are asked harder ones: held-out pairs tell more."
        )
        yield Paragraph(told, "note")
    if run.config.parts > 1 and len(rows) > 1:
        told = (
            "Each round judged instructions of its own (training.instructions: fresh), so that "
            "these figures are not of the same questions: held-out pairs tell more."
        )
        yield Paragraph(told, "note")
    if any(row.said.cut_short for row in rows):
        told = "The budget ended some sampling: those rounds have fewer right judgments than due."
        yield Paragraph(told, "note")


def _of_held_out(name: str, rows: Sequence[_Row]) -> Iterator[Part]:
    if not rows:
        return
    caption = f"Held-out pairs, {name}: by votes, or else by likelihoods. {_ENTROPY}"
    trends = list(_trends(rows, f" on {name}"))
    tables = [_figures(rows, caption), *trends[:1]]
    yield from trends[1:]
    yield Details(f"How sure judges are on {name}", tables)


def _figures(rows: Sequence[_Row], caption: str) -> Table:
    columns = [Column("round"), *(Column(_heading(n, rows), "number") for n in FIGURES)]
    cells: list[list[Cell]] = [
        [
            row.name,
            *(_shown(figure.estimate(row.said.sums)) for figure in FIGURES.values()),
            int(row.said.sums.total()[QUESTIONS]),
        ]
        for row in rows
    ]
    return Table([*columns, Column("questions", "number")], cells, caption)


def _heading(figure: str, rows: Sequence[_Row]) -> str:
    return figure if figure != RIGHT or rows[0].said.rule else "right"


def _shown(found: Figured, *, signed: bool = False) -> Estimate:
    return Estimate(found.figure, found.interval, signed=signed)


Moved = Literal["rises", "falls", "stays"]


def _trends(rows: Sequence[_Row], where: str = "") -> Iterator[Part]:
    """Yield how the figures moved from the first round to the last, and what that is a sign of."""
    if len(rows) < 2:
        return
    first, last = rows[0], rows[-1]
    found = changes(first.said.sums, last.said.sums)
    moved = {name: _moved(estimate) for name, estimate in found.items()}
    cells: list[list[Cell]] = [
        [_heading(name, rows), _shown(found[name], signed=True), moved[name] or "too few to say"]
        for name in FIGURES
    ]
    columns = [Column("figure"), Column("change", "number"), Column("by more than its interval")]
    yield Table(columns, cells, f"From {first.name} to {last.name}{where}.")
    yield _sign(moved, where)


def _moved(found: Figured) -> Moved | None:
    """Return where a figure went; None without an interval."""
    if found.interval is None:
        return None
    if found.interval[0] > 0:
        return "rises"
    return "falls" if found.interval[1] < 0 else "stays"


def _sign(moved: Mapping[str, Moved | None], where: str) -> Paragraph:
    told = partial(_paragraph, where)
    if None in moved.values():
        return told("Too few questions to say whether the judge confirms itself", "note")
    if moved[RIGHT] == "rises":
        return told("No sign of self-confirmation: the judge is right more often", "good")
    if moved[ERRORS] == "rises":
        return told(
            "A sign of self-confirmation: errors grow confident, and the judge is right no more "
            "often",
            "bad",
        )
    if moved[ENTROPY] == "falls":
        return told(
            "Verdicts get more alike, and the judge is right no more often; its errors are not yet "
            "more confident",
            "note",
        )
    return told("No sign of self-confirmation: errors do not grow confident", "good")


def _paragraph(where: str, text: str, tone: Literal["good", "bad", "note"]) -> Paragraph:
    return Paragraph(f"{text}{where}.", tone)


def _distribution(rows: Sequence[_Row]) -> Details:
    """Return of how many questions which sample is the first right one, and all are right."""
    columns = [
        Column("round"),
        *(Column(f"right: {place}", "number") for place in FIRST_RIGHT),
        Column("all right", "number"),
    ]
    caption = (
        "Share of questions by the first sample that is right. The first of these columns is the "
        "mean pass rate; `none` are questions with a pass rate near 0, `all right` near 1."
    )
    return Details(
        "How pass rates are distributed", [Table(columns, [_places(row) for row in rows], caption)]
    )


def _places(row: _Row) -> list[Cell]:
    total = row.said.sums.total()
    shares = [total[FIRST + place] / total[QUESTIONS] for place in range(len(FIRST_RIGHT))]
    known = row.said.rule != "until_correct"
    return [row.name, *shares, total[ALWAYS] / total[QUESTIONS] if known else None]
