"""The tables of `docs/explanation/both-orders.md`, between its marks."""

from collections.abc import Callable, Sequence
from pathlib import Path

from study.both_orders.promises import promises
from study.both_orders.results import RESULTS, Result, read_results
from study.both_orders.tables import compared, promised
from study.marked import write_between_marks

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "both-orders.md"


def write_page(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Write the tables of all results so far into the page."""
    write_between_marks(page, "both ways", _tables(results, compared))
    write_between_marks(page, "promises", _tables(results, lambda r: promised(promises(r))))


def _tables(results: Path, table: Callable[[Sequence[Result]], str]) -> str:
    parts = []
    for taught, judges in read_results(results).items():
        seeds = len({each.seed for each in judges})
        head = (
            f"**{taught.model}, {taught.pairs} pairs to learn from ({taught.kind}), "
            f"{taught.epochs:g} epochs of both orders; random seeds: {seeds}**"
        )
        parts.append(f"{head}\n\n{table(judges)}")
    return "\n\n".join(parts) or "No judge was measured yet."
