"""Figures as sentences, tables and plots write them."""

DASH = "–"
MINUS = "−"


def decimals(value: float | None, *, signed: bool = False) -> str:
    """Return a figure with three decimals, or a dash.

    >>> decimals(-0.25), decimals(0.25, signed=True), decimals(None)
    ('−0.250', '+0.250', '–')
    """
    if value is None:
        return DASH
    rounded = round(value, 3) + 0.0  # no minus before a zero, and no plus either
    return f"{rounded:{'+' if signed and rounded else ''}.3f}".replace("-", MINUS)


def axis_text(value: float, *, signed: bool = False) -> str:
    """Return a figure as an axis has it.

    >>> axis_text(0.5), axis_text(0.25, signed=True), axis_text(0.0, signed=True)
    ('0.5', '+0.25', '0')
    """
    text = f"{value:{'+' if signed and value else ''}.2f}".rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def between(interval: tuple[float, float] | None, *, signed: bool = False) -> str:
    """Return an interval in words, or nothing where there is none.

    >>> between((-0.1, 0.25))
    '−0.100 to 0.250'
    """
    if interval is None:
        return ""
    return " to ".join(decimals(end, signed=signed) for end in interval)


def percent(value: float) -> str:
    """Return a share as a percentage.

    >>> percent(0.575)
    '57.5%'
    """
    return f"{value * 100:.1f}%".replace("-", MINUS)


def p_text(p: float) -> str:
    """Return a p-value as papers write it.

    >>> p_text(0.0324), p_text(2e-7)
    ('p = 0.032', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(42.0), duration(600), duration(7_500)
    ('42 s', '10 min', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
