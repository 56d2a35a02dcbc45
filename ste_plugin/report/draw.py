"""Plots as SVG: colours come from the page, texts stay texts, and every plot says what it shows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, floor
from typing import NamedTuple

from markupsafe import Markup

from ste_plugin.report.numbers import estimate_text
from ste_plugin.report.parts import Bar, Estimate, Panel, Strip
from ste_plugin.text.numbers import axis_text, decimals
from ste_plugin.text.sanitize import escape_for_terminal

Scale = tuple[float, float]

WIDTH, HEIGHT = 310, 176
LEFT, RIGHT, TOP, BOTTOM = 42, 68, 10, 28
STRIP_WIDTH, TRACK = 200, 11
_PAD = 6
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


def element(name: str, inner: str | Markup = "", **attributes: object) -> Markup:
    """Return an SVG element; attributes and text are escaped, `class_` is `class`."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _attribute(value))
        for key, value in attributes.items()
    )
    shown = inner if isinstance(inner, Markup) else escape_for_terminal(inner)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, shown)


def _attribute(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def joined(elements: Iterable[Markup]) -> Markup:
    """Return elements in a row."""
    return Markup("").join(elements)


def nice_scale(values: Sequence[float]) -> tuple[Scale, list[float]]:
    """Return the ends of an axis that holds all values, and its ticks, at most six of them.

    >>> nice_scale([0.12, 0.58])
    ((0.0, 0.6), [0.0, 0.2, 0.4, 0.6])
    """
    low, high = min(values), max(values)
    middle, half = (low + high) / 2, max(high - low, 0.1) / 2
    below = middle - half if low < 0 else max(0.0, middle - half)  # no share lies below 0
    low, high = min(low, below), max(high, middle + half)
    for step in _STEPS:
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        if last - first <= 4:
            return _ticks(first, last, step)
    step = 10.0 ** ceil(len(str(ceil(high - low))))
    return _ticks(floor(low / step), ceil(high / step), step)


def _ticks(first: int, last: int, step: float) -> tuple[Scale, list[float]]:
    ticks = [round(number * step, 6) for number in range(first, last + 1)]
    return (ticks[0], ticks[-1]), ticks


def values_of(panel: Panel) -> list[float]:
    """Return every value that a panel has to show."""
    known = [estimate for _, estimate in panel.points if estimate.value is not None]
    ends = [end for estimate in known for end in estimate.interval or ()]
    return [*(e.value for e in known if e.value is not None), *ends]


class _Dot(NamedTuple):
    """A round with a figure, and where it is drawn."""

    x: float
    y: float
    estimate: Estimate
    chosen: bool


def draw_panel(panel: Panel, identifier: str, scale: tuple[Scale, list[float]]) -> Markup:
    """Return a line over rounds with a band for the intervals; `identifier` is its own."""
    (low, high), ticks = scale

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    places = [_x(index, len(panel.points)) for index in range(len(panel.points))]
    dots = [
        _Dot(x, y(estimate.value), estimate, index == panel.chosen)
        for index, (x, (_, estimate)) in enumerate(zip(places, panel.points, strict=True))
        if estimate.value is not None
    ]
    inner = [
        element("title", panel.title, id=f"{identifier}-title"),
        element("desc", describe(panel), id=f"{identifier}-desc"),
        *(_grid_line(y(tick), tick) for tick in ticks),
        *_band([(dot.x, dot.estimate) for dot in dots], y),
        element("polyline", class_="line", points=" ".join(f"{d.x:.1f},{d.y:.1f}" for d in dots)),
        *(shape for dot in dots for shape in _draw_dot(dot, last=dot is dots[-1])),
        *(
            _label_below(x, label, index, len(places))
            for index, (x, (label, _)) in enumerate(zip(places, panel.points, strict=True))
        ),
    ]
    return element(
        "svg",
        joined(inner),
        class_="panel",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{identifier}-title {identifier}-desc",
    )


def describe(panel: Panel) -> str:
    """Return what a panel shows, in words."""
    told = [f"{label} {estimate_text(estimate)}" for label, estimate in panel.points]
    return f"{'; '.join(told)}."


def _x(index: int, count: int) -> float:
    inner = WIDTH - LEFT - RIGHT
    return LEFT + (inner / 2 if count == 1 else 12 + (inner - 12) * index / (count - 1))


def _grid_line(y: float, tick: float) -> Markup:
    line = element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT + 10, y1=y, y2=y)
    return line + element("text", axis_text(tick), class_="tick end", x=LEFT - 8, y=y + 4)


def _band(points: Sequence[tuple[float, Estimate]], y: Callable[[float], float]) -> list[Markup]:
    """Return the area between the ends of the intervals, or a line where there is one point."""
    ends = [(x, e.interval) for x, e in points if e.interval]
    if len(ends) == 1:
        x, (low, high) = ends[0]
        return [element("line", class_="whisker", x1=x, x2=x, y1=y(low), y2=y(high))]
    there = [f"{x:.1f},{y(interval[1]):.1f}" for x, interval in ends]
    back = [f"{x:.1f},{y(interval[0]):.1f}" for x, interval in reversed(ends)]
    return [element("polygon", class_="band", points=" ".join(there + back))] if ends else []


def _draw_dot(dot: _Dot, *, last: bool) -> Iterator[Markup]:
    """Yield a dot, a ring around the chosen one, and the figures of that and of the last one."""
    yield element("circle", class_="dot", cx=dot.x, cy=dot.y, r=3.5)
    if dot.chosen:
        yield element("circle", class_="ring", cx=dot.x, cy=dot.y, r=7.0)
    text = decimals(dot.estimate.value, signed=dot.estimate.signed)
    if last:
        yield element("text", text, class_="value", x=dot.x + 12, y=dot.y + 5)
    elif dot.chosen:
        above = dot.y - 13 if dot.y > TOP + 20 else dot.y + 24
        # not centred: the first dot stands beside the figures of the axis
        yield element("text", text, class_="value", x=dot.x - 6, y=above)


def _label_below(x: float, label: str, index: int, count: int) -> Markup:
    """Return the name of a round; of many only every second or third, so that none overlap."""
    every = ceil(count / 8)
    short = label.removeprefix("iteration ")
    text = short if (count - 1 - index) % every == 0 else ""
    return element("text", text, class_="tick middle", x=x, y=HEIGHT - 10)


def draw_strip(strip: Strip, scale: Scale, zero: float | None) -> Markup:
    """Return dots and their intervals, one above the other; their figures stand beside."""
    height = 6 + TRACK * max(1, len(strip.marks))

    def x(value: float) -> float:
        return _along(value, scale)

    inner: list[Markup] = []
    if zero is not None:
        inner.append(element("line", class_="zero", x1=x(zero), x2=x(zero), y1=0, y2=height))
    for number, mark in enumerate(strip.marks):
        y = 3 + TRACK * (number + 0.5)
        kind = "faint" if mark.faint else "strong"
        if mark.estimate.interval:
            low, high = (x(end) for end in mark.estimate.interval)
            inner.append(element("line", class_=f"reach {kind}", x1=low, x2=high, y1=y, y2=y))
        if mark.estimate.value is not None:
            inner.append(
                element("circle", class_=f"dot {kind}", cx=x(mark.estimate.value), cy=y, r=4)
            )
    return _strip(joined(inner), height)


def draw_bar(bar: Bar, scale: Scale) -> Markup:
    """Return a bar from 0; its figure stands beside."""
    end = max(_along(bar.value, scale), _PAD + 1.0)
    shape = element("rect", class_="bar", x=_PAD, y=3, width=end - _PAD, height=10, rx=2)
    return _strip(shape, 16)


def _along(value: float, scale: Scale) -> float:
    low, high = scale
    share = (value - low) / (high - low) if high > low else 0.0
    return _PAD + min(1.0, max(0.0, share)) * (STRIP_WIDTH - 2 * _PAD)


def _strip(inner: Markup, height: int) -> Markup:
    box = f"0 0 {STRIP_WIDTH} {height}"
    return element("svg", inner, class_="strip", viewBox=box, aria_hidden="true")
