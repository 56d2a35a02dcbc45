"""A report's sections as Markdown: paragraphs and tables, without plots."""

from collections.abc import Iterable, Iterator, Sequence

from ste_plugin.report.numbers import cell_text
from ste_plugin.report.parts import Bar, Cell, Details, Paragraph, Part, Section, Strip, Table
from ste_plugin.text.sanitize import escape_for_markdown


def section_lines(section: Section, *, level: int = 2) -> Iterator[str]:
    """Yield the blocks of a section, its heading first."""
    yield f"{'#' * level} {escape_for_markdown(section.title)}"
    yield from part_blocks(section.parts)


def part_blocks(parts: Iterable[Part]) -> Iterator[str]:
    """Yield blocks of Markdown; plots have none, and what is folded away is told unfolded."""
    for part in parts:
        match part:
            case Paragraph():
                yield escape_for_markdown(part.text)
            case Table():
                yield from _table_blocks(part)
            case Details():
                yield f"**{escape_for_markdown(part.summary)}**"
                yield from part_blocks(part.parts)


def _table_blocks(shown: Table) -> Iterator[str]:
    """Yield a table and what it is of, without the columns that are plots."""
    drawn = {
        place
        for place, column in enumerate(shown.columns)
        if column.kind == "plot" or any(isinstance(r[place], Strip | Bar) for r in shown.rows)
    }
    kept = [place for place in range(len(shown.columns)) if place not in drawn]
    if not shown.rows or not kept:
        return
    if shown.caption:
        yield escape_for_markdown(shown.caption)
    heads = [shown.columns[place].heading for place in kept]
    yield table(heads, [[row[place] for place in kept] for row in shown.rows])


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a Markdown table; every cell is text, whatever markup it holds."""
    lines = [list(map(escape_for_markdown, heads)), ["---"] * len(heads)]
    lines += [[escape_for_markdown(cell_text(cell)) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(text: str, language: str = "text") -> str:
    """Return a text as a block of code, whatever backticks it holds."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
