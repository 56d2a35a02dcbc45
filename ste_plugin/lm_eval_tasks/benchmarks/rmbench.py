"""RM-Bench (Liu et al., 2024): is substance seen through style?"""

from collections.abc import Sequence

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark
from ste_plugin.lm_eval_tasks.pairs_file import LabelledPair, refuse_equal
from ste_plugin.lm_eval_tasks.rows import Row

STYLES = 3
"""Concise; detailed; detailed with Markdown: in this order in both columns."""

_DOMAINS = {
    "chat": "Chat",
    "code": "Code",
    "math": "Math",
    "safety-refuse": "Safety",
    "safety-response": "Safety",
}


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
    sections=("Chat", "Math", "Code", "Safety"),
)
