"""A report's sections as Markdown: paragraphs and tables, without plots."""

from collections.abc import Iterable, Iterator, Sequence

from ste_plugin.report.numbers import cell_text
from ste_plugin.report.parts import Bar, Cell, Paragraph, Part, Section, Strip, Table
from ste_plugin.text.sanitize import escape_for_markdown


def section_blocks(section: Section, *, level: int) -> Iterator[str]:
    """Yield the blocks of a section, its heading first."""
    yield f"{'#' * level} {escape_for_markdown(section.title)}"
    yield from part_blocks(section.parts)


def part_blocks(parts: Iterable[Part]) -> Iterator[str]:
    """Yield blocks of Markdown; plots have none, and what is folded away is left out."""
    for part in parts:
        match part:
            case Paragraph():
                yield escape_for_markdown(part.text)
            case Table():
                yield from _table_blocks(part)


def told_blocks(parts: Iterable[Part]) -> Iterator[str]:
    """Yield the paragraphs that say what was found: those that stand out in a report."""
    yield from part_blocks(p for p in parts if isinstance(p, Paragraph) and p.tone)


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
    lines += [list(map(_cell, row)) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell) -> str:
    """Return a cell; figures are no markup."""
    return escape_for_markdown(cell) if isinstance(cell, str) else cell_text(cell)


def fenced(text: str, language: str = "text") -> str:
    """Return a text as a block of code, whatever backticks it holds."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
