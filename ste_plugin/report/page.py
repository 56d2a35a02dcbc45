"""The page itself: `report.html`, one file that loads nothing and runs nothing."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ste_plugin.report import draw
from ste_plugin.report.headline import make_headline
from ste_plugin.report.numbers import cell_text
from ste_plugin.report.parts import Bar, Cell, Column, Estimate, Lines, Section, Strip, Table
from ste_plugin.report.read_run import RunFigures, read_run
from ste_plugin.report.sections import collect_sections, failure
from ste_plugin.storage.jsonl import replace_bytes
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.text.numbers import axis_text
from ste_plugin.text.sanitize import escape_for_terminal

if TYPE_CHECKING:
    import pluggy

_HERE = Path(__file__).parent


def write_report(folder: RunLayout, plugins: "pluggy.PluginManager") -> Path:
    """Write a run's `report.html`, whole or not at all; return its path.

    Raises: DataError where the folder holds no run, a file of it is damaged, or the disk cannot be
    written.
    """
    run = read_run(folder.root)
    replace_bytes(folder.report_page, render(run, collect_sections(run, plugins)).encode())
    return folder.report_page


def render(run: RunFigures, sections: Sequence[tuple[str, Section]]) -> str:
    """Return the page; the same figures make the same bytes."""
    environment = _environment()
    css = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
    template = environment.get_template("section.html.j2")
    drawn = [_render_section(template, plugin, section) for plugin, section in sections]
    return environment.get_template("page.html.j2").render(
        run=run,
        headline=make_headline(run),
        sections=drawn,
        css=css,
        policy=f"default-src 'none'; style-src '{_hash_of(css)}'; base-uri 'none'; "
        "form-action 'none'",
    )


def _render_section(template: Any, plugin: str, section: Section) -> tuple[Section, Markup]:
    """Return a section and its markup; of one that cannot be drawn, that this is so."""
    try:
        return section, Markup(template.render(section=section, anchor=section.anchor))
    except Exception as error:  # rows of other lengths, figures that are none, …
        told = failure(plugin, error)
        told = Section(told.title, section.anchor, told.parts)
        return told, Markup(template.render(section=told, anchor=told.anchor))


def _hash_of(css: str) -> str:
    """Return the only style that the page may have, as its policy names it."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"sha256-{digest}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(draw_lines=_draw_lines, legend=_legend, kind_of=_kind_of, axis=_axis)
    environment.filters.update(cell=_draw_cell, code=_with_code)
    return environment


def _finalize(value: Any) -> Any:
    """Return a text without what steers a page: control characters and changes of direction."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape_for_terminal(value)
    return value


def _with_code(text: str) -> Markup:
    """Return a text with what stands between backticks as code."""
    pieces = escape_for_terminal(text).split("`")
    if len(pieces) % 2 == 0:
        return escape("`".join(pieces))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else escape(piece)
        for index, piece in enumerate(pieces)
    )


def _kind_of(part: Any) -> str:
    """Return what a part is, in lower case."""
    return type(part).__name__.lower()


def _draw_cell(cell: Cell, column: Column) -> Markup | str:
    match cell:
        case Strip():
            return draw.draw_strip(cell, column.scale, column.zero)
        case Bar():
            return draw.draw_bar(cell, column.scale)
        case Estimate(value=float() | int(), interval=tuple()):
            return _draw_estimate(cell)
    return cell_text(cell)


def _draw_estimate(estimate: Estimate) -> Markup:
    """Return a figure with its interval below."""
    value, _, interval = cell_text(estimate).partition(" (")
    return Markup('{} <span class="interval">{}</span>').format(value, interval.rstrip(")"))


def _draw_lines(lines: Lines, identifier: str) -> list[tuple[Any, Markup]]:
    """Return every panel with its drawing; those without a figure are left out."""
    panels = [panel for panel in lines.panels if draw.values_of(panel)]
    values = [value for panel in panels for value in draw.values_of(panel)]
    return [
        (
            panel,
            draw.draw_panel(
                panel,
                f"{identifier}-{number}",
                draw.nice_scale(values if lines.shared else draw.values_of(panel)),
            ),
        )
        for number, panel in enumerate(panels)
    ]


def _axis(column: Column) -> list[str]:
    """Return the ends of a plot's scale, and what lies in the middle."""
    low, high = column.scale
    signed = low < 0
    return [axis_text(value, signed=signed) for value in (low, (low + high) / 2, high)]


def _legend(table: Table) -> list[tuple[str, str]]:
    """Return (label, how it looks) of the marks in a table, where there are several."""
    marks = {
        mark.label: "faint" if mark.faint else "strong"
        for row in table.rows
        for cell in row
        if isinstance(cell, Strip)
        for mark in cell.marks
    }
    return list(marks.items()) if len(marks) > 1 else []
