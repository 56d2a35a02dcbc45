"""The tables of `docs/explanation/study.md`, between its marks."""

from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import table
from study.arms import ARMS
from study.inputs import CHOOSING, REPORTING
from study.marked import write_between_marks
from study.plot import draw
from study.results import Cell, cells, grouped, read_results

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "study.md"
SETS = (*CHOOSING, *REPORTING)
WORDS = (
    "Of pairs that are decided alike in both orders, in how many the answer that shares more of "
    "its words with the question is taken:"
)
PLOTTED = "each arm's gain on each set, with 95% intervals; a line a random seed and round"


def write_page() -> None:
    """Write the tables of all results so far into the page, and a plot per model beside it."""
    for (model,), of_model in grouped(read_results(), "model").items():
        svg = PAGE.with_name(f"study-{model}.svg")
        svg.write_text(draw(of_model, model) + "\n", encoding="utf-8")
    write_between_marks(PAGE, "results", tables())


def tables() -> str:
    """Return a table per model and round, an arm a row and a set a column."""
    found = cells(read_results())
    parts = []
    head = ("arm", "seeds", "rows", "tokens", "minutes", *SETS)
    for model in sorted({m for m, _, _, _ in found}):
        parts.append(f"### {model}\n\n![{PLOTTED}](study-{model}.svg)")
        for number in sorted({r for m, _, r, _ in found if m == model}):
            parts.append(f"**Round {number}**\n\n{table(head, rows(found, model, number))}")
            if shared := list(words(found, model, number)):
                parts.append(f"{WORDS}\n\n{table(('arm', *SETS), shared)}")
    return "\n\n".join(parts) or "No arm was run yet."


def rows(
    found: dict[tuple[str, str, int, str], Cell], model: str, number: int
) -> Iterator[tuple[str, ...]]:
    """Yield the baselines, then each arm's row."""
    any_arm = {name: cell for (m, _, r, name), cell in found.items() if (m, r) == (model, number)}
    of_sets = [any_arm.get(name) for name in SETS]
    none = ("",) * 4
    yield ("pairs", *none, *(str(c.n) if c else "" for c in of_sets))
    longer = (f"{c.longer:.2f}" if c else "" for c in of_sets)
    yield ("always the longer answer (accuracy)", *none, *longer)
    for arm in ARMS:
        of_arm = [found.get((model, arm, number, name)) for name in SETS]
        if cell := next((cell for cell in of_arm if cell), None):
            costs = (f"{cell.kept:,.0f}", f"{cell.tokens:,.0f}", f"{cell.minutes:.0f}")
            yield (f"`{arm}`", str(cell.seeds), *costs, *(told(cell) for cell in of_arm))


def words(
    found: dict[tuple[str, str, int, str], Cell], model: str, number: int
) -> Iterator[tuple[str, ...]]:
    """Yield of each arm in how many pairs the answer with more words of the question is taken.

    An arm of which that is not known is left out.
    """
    for arm in ARMS:
        of_arm = [found.get((model, arm, number, name)) for name in SETS]
        counts = [cell.shared_words if cell else (0, 0) for cell in of_arm]
        if any(of for _, of in counts):
            yield (f"`{arm}`", *(f"{taken} of {of}" if of else "–" for taken, of in counts))


def told(cell: Cell | None) -> str:
    """Return a cell: right in both orders, before and after; how many seeds gain or lose surely;
    the accuracy, and how often the longer answer is preferred."""
    if cell is None:
        return ""
    signs = "".join(
        f" {sign}{count}" for sign, count in (("▲", cell.better), ("▼", cell.worse)) if count
    )
    more = "" if cell.prefers_longer is None else f", the longer {cell.prefers_longer:.2f}"
    return f"{cell.seed_right:.2f} → {cell.right:.2f}{signs} (accuracy {cell.acc:.2f}{more})"
