"""Measured claims, and the Markdown table of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One claim and its figure."""

    claim: str
    figure: str
    target: str = ""
    """Empty for a figure that nothing was promised about."""
    met: bool | None = None
    """None where there is no target, or where it was not measured."""

    def __str__(self) -> str:
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        return f"| {self.claim} | {self.figure} | {self.target} | {met} |"


class MissingInput(Exception):
    """A measurement needs something that is not here; the message names it."""


def to_table(measurements: Iterable[Measurement]) -> str:
    """Return them as one Markdown table, a row each."""
    head = "| claim | figure | target | met |\n|---|---|---|---|"
    return "\n".join([head, *map(str, measurements)])
