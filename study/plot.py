"""A plot per model: each arm's gain on each labelled set, a dot a random seed and round."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ste_plugin.report.draw import element, joined
from study.inputs import CHOOSING, REPORTING
from study.results import grouped

SETS = (*CHOOSING, *REPORTING)
NAME, COLUMN, LINE, HEAD = 150, 118, 15, 34
ROUNDS = {1: "#8a8f98", 2: "#1f6feb", 3: "#b35900"}
"""Round → its colour, which reads on white and on black."""
INK = "#7a7f87"


def draw(rows: Sequence[Mapping[str, Any]], model: str) -> Markup:
    """Return an SVG of the gains, right in both orders, with their 95% intervals."""
    by_arm = grouped(rows, "arm")
    tops, y = {}, HEAD
    for (arm,), of_arm in by_arm.items():
        tops[arm] = y
        y += LINE * len(grouped(of_arm, "seed", "round")) + 8
    inner = [
        element("title", f"{model}: gain in pairs right in both orders, over the seed"),
        *(shape for column in range(len(SETS)) for shape in _column(column, y)),
        *(_text(arm, 0, top + LINE - 4) for arm, top in tops.items()),
        *(
            shape
            for (arm,), found in grouped(rows, "arm").items()
            for shape in _arm(found, tops[arm])
        ),
    ]
    width = NAME + COLUMN * len(SETS)
    return element(
        "svg",
        joined(inner),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {y}",
        role="img",
        font_family="sans-serif",
        font_size=11,
    )


def _column(number: int, height: int) -> Iterator[Markup]:
    """Yield a set's name, and lines at no gain and at one half."""
    yield _text(SETS[number], _x(number, 0.0) - 20, 12)
    for gain in (0.0, 0.5):
        x = _x(number, gain)
        dashes = {} if gain == 0 else {"stroke_dasharray": "2 3"}
        yield element("line", x1=x, x2=x, y1=HEAD - 4, y2=height, stroke=INK, **dashes)
        yield _text(f"{gain:+.1f}" if gain else "0", x - 4, HEAD - 8)


def _arm(rows: Iterable[Mapping[str, Any]], top: int) -> Iterator[Markup]:
    """Yield a line of dots for each random seed and round."""
    lines = sorted(grouped(rows, "round", "seed").items())
    for number, ((round_, _), found) in enumerate(lines):
        y = top + LINE * number + LINE / 2
        for row in found:
            column, colour = SETS.index(row["set"]), ROUNDS.get(round_, INK)
            low, high = row["interval"] or (row["gain"], row["gain"])
            ends = {"x1": _x(column, low), "x2": _x(column, high)}
            yield element("line", **ends, y1=y, y2=y, stroke=colour)
            yield element("circle", cx=_x(column, row["gain"]), cy=y, r=3, fill=colour)


def _x(column: int, gain: float) -> float:
    """Return where a gain is, from -0.2 to 0.8 across a column."""
    share = (max(-0.2, min(0.8, gain)) + 0.2) / 1.0
    return NAME + column * COLUMN + share * (COLUMN - 16)


def _text(text: str, x: float, y: float) -> Markup:
    return element("text", text, x=x, y=y, fill=INK)
