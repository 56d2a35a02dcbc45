"""The study's plot: every figure has its place, and none falls off the page."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from study.plot import SETS, draw


def row(name: str, gain: float, **what: Any) -> dict[str, Any]:
    interval = (gain - 0.1, gain + 0.1)
    return {
        "arm": "base",
        "seed": 0,
        "round": 1,
        "set": name,
        "gain": gain,
        "interval": interval,
    } | what


def test_a_round_of_a_random_seed_has_a_dot_on_every_set_and_a_line_of_its_own() -> None:
    rows = [row(name, 0.2, seed=seed) for seed in (0, 1) for name in SETS]
    svg = str(draw([*rows, row("pandalm", 0.3, arm="other")], "small"))
    assert svg.count("<circle") == 2 * len(SETS) + 1
    assert len(set(re.findall(r'cy="([\d.]+)"', svg))) == 3
    assert ">other</text>" in svg and "<title>small: gain" in svg


@given(st.floats(-1, 1), st.sampled_from(SETS))
def test_a_gain_of_any_size_lies_within_the_plot(gain: float, name: str) -> None:
    svg = str(draw([row(name, gain)], "small"))
    (width,) = re.findall(r'viewBox="0 0 ([\d.]+) ', svg)
    assert all(0 <= float(x) <= float(width) for x in re.findall(r'(?:cx|x1|x2)="([-\d.]+)"', svg))


def test_a_row_without_an_interval_is_a_dot_alone() -> None:
    svg = str(draw([row("pandalm", 0.2, interval=None)], "small"))
    (dot,) = re.findall(r'cx="([\d.]+)"', svg)
    assert f'x1="{dot}" x2="{dot}"' in svg
