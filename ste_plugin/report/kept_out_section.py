"""What of the benchmarks was among a run's instructions, and was kept out of its training."""

from collections.abc import Mapping
from typing import Any

from ste_plugin.instructions.selection.contamination import MEASURES, describe_shared
from ste_plugin.report.parts import Cell, Column, Paragraph, Part, Section, Table
from ste_plugin.report.read_run import RunFigures

_CAPTION = (
    "Instructions that repeat a prompt, by the strictest measure: as a whole, nearly, by 8-grams "
    "that hold half of its words; told only: by 13 words in a row. One by one they are in "
    "`pool/contamination.jsonl`."
)


def kept_out_sections(run: RunFigures) -> list[Section]:
    """Return the section on contamination; none where the run measured on nothing of others."""
    found = run.pool.get("kept_out", {})
    if not (found.get("benchmarks") or found.get("unread")):
        return []
    return [Section("Benchmarks among the instructions", "kept-out", _parts(found))]


def _parts(found: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    if benchmarks := found["benchmarks"]:
        told = f"{found['dropped']:,} of {found['compared']:,} instructions repeated what the run "
        parts.append(Paragraph(told + "measures on, and were left out before anything was asked."))
        parts.append(_table(benchmarks))
        shared = ((name, describe_shared(counts)) for name, counts in benchmarks.items())
        parts += [Paragraph(f"{name}: {told}.") for name, told in shared if told]
    for name, problem in found["unread"].items():
        told = f"{name} could not be read, so nothing of it was kept out: {problem}"
        parts.append(Paragraph(told, "bad"))
    return parts


def _table(benchmarks: Mapping[str, Any]) -> Table:
    columns = [Column("benchmark"), Column("prompts", "number")]
    columns += [Column(measure, "number") for measure in MEASURES]
    rows: list[list[Cell]] = [
        [name, counts["prompts"], *(counts["instructions"][measure] for measure in MEASURES)]
        for name, counts in benchmarks.items()
    ]
    return Table(columns, rows, _CAPTION)
