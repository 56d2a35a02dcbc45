"""RM-Bench (Liu et al., 2024): is substance seen through style?"""

from collections.abc import Sequence
from dataclasses import replace

from ste_plugin.errors import DataError
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.published_files import ENDING
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.texts import refuse_equal
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark

STYLES = 3
"""Concise; detailed; detailed with Markdown: in this order in both columns."""

_DOMAINS = {
    "chat": "Chat",
    "code": "Code",
    "math": "Math",
    "safety-refuse": "Safety",
    "safety-response": "Safety",
}
SECTIONS = ("Chat", "Math", "Code", "Safety")
DIFFICULTIES = ("easy", "normal", "hard")
_ROWS = {
    "chat": 129,
    "code": 228,
    "math": 529,
    "safety-refuse": 284,
    "safety-response": 157,
}
"""Domain → rows in the published data set."""


def with_domain(row: Row) -> Row:
    """Return a row with its domain, if only the name of its file or the key around it says it.

    Raises: DataError where they say different ones.
    """
    if row.part not in _DOMAINS:
        return row
    if row.filled(["domain"]):
        row.one_of("domain", {row.part: None})
        return row
    return replace(row, columns={**row.columns, "domain": row.part})


def difficulty(chosen_style: int, rejected_style: int) -> str:
    """Return `hard` where the better response is the plainer one, `easy` where it is the fancier.

    Source: compute_accuracy in the README of THU-KEG/RM-Bench.
    """
    if chosen_style == rejected_style:
        return "normal"
    return "hard" if chosen_style < rejected_style else "easy"


def convert(rows: Sequence[Row]) -> list[LabelledPair]:
    """Return the nine pairs of one row: each style chosen against each style rejected."""
    (row,) = rows
    key, domain = row.key("id"), row.text("domain")
    section = row.one_of("domain", _DOMAINS)
    chosen, rejected = _styles(row, "chosen"), _styles(row, "rejected")
    pairs = [
        LabelledPair(
            f"{domain}/{key}/{i}{j}", difficulty(i, j), row.prompt("prompt"), better, worse, section
        )
        for i, better in enumerate(chosen)
        for j, worse in enumerate(rejected)
    ]
    for pair in pairs:
        refuse_equal(row, pair, "chosen", "rejected")
    return pairs


def _styles(row: Row, column: str) -> list[str]:
    responses = row.texts(column)
    if len(responses) != STYLES:
        raise DataError(
            f"{row.where}: {column!r} has {len(responses)} responses; expected {STYLES}, from the "
            "plainest style to the fanciest."
        )
    return responses


RMBENCH = Benchmark(
    name="rmbench",
    hub="THU-KEG/RM-Bench",
    splits=("train",),
    columns=("id", "prompt", "chosen", "rejected", "domain"),
    convert=convert,
    rows=1327,
    counts=_ROWS,
    counted_as=lambda row: str(row.columns["domain"]),
    complete=with_domain,
    files=[
        {"": r"total_dataset\.json"},
        {domain: rf"{domain}(?:_filtered)?{ENDING}" for domain in _DOMAINS},
    ],
    sections=SECTIONS,
)
