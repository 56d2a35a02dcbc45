"""Plots: everything lies within its scale, and stands there in words, too."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.report.draw import (
    HEIGHT,
    STRIP_WIDTH,
    WIDTH,
    draw_bar,
    draw_panel,
    draw_strip,
    nice_scale,
    values_of,
)
from ste_plugin.report.parts import Bar, Estimate, Mark, Panel, Strip

SHARES = st.floats(0, 1)
WILD = st.floats(-1e6, 1e6)


def numbers(svg: str, *names: str) -> list[float]:
    found = [n for name in names for n in re.findall(rf'\b{name}="(-?[\d.]+)"', svg)]
    return [float(n) for n in found]


@given(st.lists(WILD, min_size=1, max_size=9))
def test_an_axis_holds_all_its_values_and_few_ticks(values):
    (low, high), ticks = nice_scale(values)
    assert low < high
    slack = (high - low) * 1e-6
    assert low - slack <= min(values)
    assert max(values) <= high + slack
    assert 2 <= len(ticks) <= 6
    assert ticks == sorted(set(ticks))


@given(st.lists(SHARES, min_size=1))
def test_an_axis_of_shares_does_not_go_below_0(values):
    assert nice_scale(values)[0][0] >= 0


@given(st.lists(st.tuples(SHARES, SHARES, SHARES).map(sorted), min_size=1, max_size=12))
def test_a_panel_draws_nothing_outside_itself(estimates):
    points = [(f"iteration {i}", Estimate(v, (a, b))) for i, (a, v, b) in enumerate(estimates)]
    panel = Panel("test", points)
    svg = str(draw_panel(panel, "p", nice_scale(values_of(panel))))
    pairs = re.findall(r"([\d.-]+),([\d.-]+)", " ".join(re.findall(r'points="([^"]*)"', svg)))
    across = [*numbers(svg, "x", "x1", "x2", "cx"), *(float(x) for x, _ in pairs)]
    down = [*numbers(svg, "y", "y1", "y2", "cy"), *(float(y) for _, y in pairs)]
    assert 0 <= min(across) <= max(across) <= WIDTH
    assert 0 <= min(down) <= max(down) <= HEIGHT


def test_a_panel_says_in_words_what_it_shows():
    panel = Panel(
        "test <b>", [("seed", Estimate(0.25, (0.1, 0.4))), ("iteration 1", Estimate(0.5))]
    )
    svg = str(draw_panel(panel, "p", nice_scale(values_of(panel))))
    assert '<title id="p-title">test &lt;b&gt;</title>' in svg
    assert '<desc id="p-desc">seed 0.250 (0.100 to 0.400); iteration 1 0.500.</desc>' in svg
    assert 'aria-labelledby="p-title p-desc"' in svg


def test_a_round_without_a_figure_keeps_its_place_and_has_no_dot():
    points = [
        ("seed", Estimate(0.2)),
        ("iteration 1", Estimate(None)),
        ("iteration 2", Estimate(0.4)),
    ]
    panel = Panel("test", points)
    svg = str(draw_panel(panel, "p", nice_scale(values_of(panel))))
    seed, last = numbers(svg, "cx")
    assert last - seed > WIDTH / 2
    assert "iteration 1 –" in svg


@given(st.lists(st.tuples(WILD, WILD, WILD), min_size=1, max_size=4))
def test_a_strip_draws_nothing_outside_itself(estimates):
    marks = tuple(Mark("m", Estimate(v, (min(a, b), max(a, b)))) for a, v, b in estimates)
    svg = str(draw_strip(Strip(marks), (0.0, 1.0), 0.5))
    across = numbers(svg, "x1", "x2", "cx")
    assert 0 <= min(across) <= max(across) <= STRIP_WIDTH


@pytest.mark.parametrize("value", [0, 1, 47, 1_000_000])
def test_a_bar_is_as_long_as_its_share_and_never_gone(value):
    widths = [numbers(str(draw_bar(Bar(v), (0.0, 1e6))), "width")[0] for v in (value, 1e6)]
    assert widths[0] == pytest.approx(max(1.0, widths[1] * value / 1e6), abs=0.1)
