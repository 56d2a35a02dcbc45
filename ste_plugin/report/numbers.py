"""Estimates and cells as a report writes them."""

from ste_plugin.report.parts import Bar, Cell, Estimate, Strip
from ste_plugin.text.numbers import DASH, MINUS, between, decimals


def estimate_text(estimate: Estimate) -> str:
    """Return a figure with its interval in brackets.

    >>> estimate_text(Estimate(0.5, (0.4, 0.6)))
    '0.500 (0.400 to 0.600)'
    """
    value = decimals(estimate.value, signed=estimate.signed)
    interval = between(estimate.interval, signed=estimate.signed)
    return f"{value} ({interval})" if interval else value


def cell_text(cell: Cell) -> str:
    """Return a cell that is no plot as text: counts with commas, figures with three decimals."""
    match cell:
        case None | Strip() | Bar():
            return DASH if cell is None else ""
        case Estimate():
            return estimate_text(cell)
        case int():
            return f"{cell:,}".replace("-", MINUS)
        case float():
            return decimals(cell)
    return cell
