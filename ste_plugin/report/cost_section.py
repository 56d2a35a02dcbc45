"""What a run cost, by round and step; and how counts of its data sets are read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ste_plugin.evaluation.report import COSTS, PER_1000, judge_line
from ste_plugin.report.parts import Cell, Column, Details, Paragraph, Part, Section, Table
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.text.numbers import DASH, duration

STEPS = ("pairs", "judging", "training", "measuring")
_STEP_OF = {"pool": "pairs", "generate": "judging", "train": "training"}


def cost_section(run: RunFigures) -> Section:
    columns = [Column("")] + [
        Column(heading, "number") for heading in ("tokens read", "tokens written", "cost", *STEPS)
    ]
    rows = [_pool_costs(run), *(_round_costs(run, r) for r in run.rounds)]
    rows.append(["all", *(_sum_of(column) for column in list(zip(*rows, strict=True))[1:])])
    shown = [[*row[:4], *(_time(cell) for cell in row[4:])] for row in rows]
    caption = "Tokens that the data sets took, and the time of every step."
    parts: list[Part] = [without_empty(Table(columns, shown, caption))]
    if rows[-1][3] is None:
        parts.append(Paragraph("No prices are set, so nothing is said of money.", "note"))
    return Section("Costs", "costs", [*parts, *_per_1000(run)])


def _pool_costs(run: RunFigures) -> list[Any]:
    cost = run.pool.get("cost", {})
    tokens = [cost.get("prompt_tokens"), cost.get("generated_tokens"), cost.get("cost")]
    return ["response pairs", *tokens, *_seconds(run, None)]


def _round_costs(run: RunFigures, r: Round) -> list[Any]:
    counts = counts_of(r)
    tokens = [total_of(counts, name) for name in ("prompt_tokens", "generated_tokens")]
    return [r.name, *tokens, r.report.cost if r.report else None, *_seconds(run, r.number)]


def _seconds(run: RunFigures, number: int | None) -> list[float | None]:
    """Return the time of each of STEPS in a round, or before all of them."""
    spent: Counter[str] = Counter()
    for (iteration, stage), seconds in run.seconds.items():
        if iteration == number:
            spent[_STEP_OF.get(stage, "measuring")] += seconds  # type: ignore[assignment]
    return [spent.get(step) for step in STEPS]


def _sum_of(column: Sequence[Any]) -> Any:
    known = [cell for cell in column if cell is not None]
    return sum(known) if known else None


def _time(seconds: Any) -> str:
    return DASH if seconds is None else duration(seconds)


def without_empty(table: Table) -> Table:
    """Return a table without the columns that hold nothing but dashes."""
    kept = [
        index
        for index in range(len(table.columns))
        if index == 0 or any(row[index] not in (None, DASH) for row in table.rows)
    ]
    rows = [[row[index] for index in kept] for row in table.rows]
    return Table([table.columns[i] for i in kept], rows, table.caption, table.wordy)


def _per_1000(run: RunFigures) -> list[Part]:
    """Return what a judgment takes of each judge, as lm-eval asked it."""
    lines = [
        judge_line(r.name, name, results)
        for r in run.measured
        for name, results in r.results.items()
    ]
    headings = [name + PER_1000 for name in COSTS]
    rows: list[list[Cell]] = [
        [line["judge"], line["pairs"], *(_whole(line[heading]) for heading in headings)]
        for line in lines
        if any(line[heading] is not None for heading in headings)
    ]
    if not rows:
        return []
    columns = [Column("round"), Column("pairs"), *(Column(name, "number") for name in COSTS)]
    caption = "As measured; seconds of a first set include loading the judge."
    return [Details("Tokens and seconds per 1,000 judgments", [Table(columns, rows, caption)])]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def counts_of(r: Round) -> list[Mapping[str, Any]]:
    return [manifest.get("counts", {}) for manifest in r.manifests]


def total_of(counts: Sequence[Mapping[str, Any]], *path: str) -> int | None:
    """Return the sum of a count over the stages of a round; None where none has it."""
    found = [value_at(count, path) for count in counts]
    known = [value for value in found if isinstance(value, int)]
    return sum(known) if known else None


def value_at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
