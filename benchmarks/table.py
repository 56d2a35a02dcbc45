"""One measured claim a row, and the Markdown table of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One claim and what was found."""

    claim: str
    figure: str
    target: str = ""
    """Empty for a figure that nothing was promised about."""
    met: bool | None = None
    """None where there is no target, or where it was not measured."""

    def __str__(self) -> str:
        told = {True: "yes", False: "**no**", None: ""}[self.met]
        return f"| {self.claim} | {self.figure} | {self.target} | {told} |"


class NotRun(Exception):
    """A measurement needs something that is not here; the message names it."""


def table(rows: Iterable[Row]) -> str:
    """Return the rows as one Markdown table."""
    head = "| claim | figure | target | met |\n|---|---|---|---|"
    return "\n".join([head, *map(str, rows)])
