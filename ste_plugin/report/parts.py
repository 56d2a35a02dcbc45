"""What a report is made of: sections of paragraphs, tables and plots, which hold no markup.

Texts are shown as they are: markup in them is shown, not obeyed. What stands between backticks is
set as code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "bad", "note"]
"""How a paragraph or a mark stands out; never the only thing that says so."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval."""

    value: float | None
    """None is shown as a dash."""
    interval: tuple[float, float] | None = None
    signed: bool = False
    """Whether a plus is shown, as of a difference."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A dot and its interval in a strip."""

    label: str
    """Of what; marks of one label look alike in all strips of a report."""
    estimate: Estimate
    faint: bool = False
    """Drawn as what the others are compared with."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Dots and their intervals on the scale of their column."""

    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar on the scale of its column, from 0."""

    value: float


Cell = str | int | float | None | Estimate | Strip | Bar
"""Floats have three decimals; None is a dash."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. Numbers, estimates and counts are aligned at the right."""

    heading: str
    kind: Literal["text", "number", "plot"] = "text"
    scale: tuple[float, float] = (0.0, 1.0)
    """Of a plot: its ends, the same in all rows."""
    zero: float | None = None
    """Of a plot: where a line is drawn through all rows."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are columns; the first cell of a row names it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    wordy: bool = False
    """Whether cells hold sentences: on a narrow screen each row is then a block of its own."""

    def __post_init__(self) -> None:
        """Raise ValueError for a row of another length than the columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of {len(row)} cells in a table of {len(self.columns)} columns: {row!r}"
                )


@dataclass(frozen=True, slots=True)
class Panel:
    """A line over rounds, with a band for its intervals."""

    title: str
    points: Sequence[tuple[str, Estimate]]
    """Name of the round, and its figure; those without one are left out."""
    chosen: int | None = None
    """Which point is set apart."""
    note: str = ""
    """A line below the title, as how many pairs there are."""
    limit: float | None = None
    """A threshold, drawn as a dashed line; the note says whether it is the most or the least."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Small plots side by side."""

    panels: Sequence[Panel]
    shared: bool = True
    """Whether all are on one scale."""


@dataclass(frozen=True, slots=True)
class Details:
    """Parts that are shown on request."""

    summary: str
    parts: "Sequence[Part]"


Part = Paragraph | Table | Lines | Details


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the report."""

    title: str
    anchor: str
    """Its id in the page: lower-case letters, digits and hyphens."""
    parts: Sequence[Part]
