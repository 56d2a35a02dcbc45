"""Temperature, Brier score and calibration error, by definition and by property."""

import json
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging.calibration import (
    MIN_JUDGMENTS,
    NAME,
    at_temperature,
    calibrate,
    calibration_error,
    fit_temperature,
    quality,
    read_calibration,
    reliability,
    sigmoid,
    temperature_in,
    temperature_of,
    write_calibration,
)

MARGINS = st.lists(st.floats(-30, 30), min_size=1, max_size=60)


def drawn(temperature: float, count: int = 4000) -> list[float]:
    """Margins of a judge whose log-odds are `temperature` times too large."""
    draw = random.Random(7)
    margins = []
    for _ in range(count):
        honest = abs(draw.gauss(0, 2))
        sign = 1 if draw.random() < sigmoid(honest) else -1
        margins.append(sign * honest * temperature)
    return margins


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_of_a_judge_that_is_too_sure_or_not_sure_enough_is_found(temperature):
    found = calibrate(drawn(temperature), "verdict-1")
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.after.ece < 0.02
    assert found.after.nll <= found.before.nll


@given(MARGINS)
def test_no_other_temperature_has_a_lower_loss(margins):
    best = fit_temperature(margins)
    if best is not None:
        for other in (best * 0.9, best * 1.1, 1.0):
            assert quality(margins, best).nll <= quality(margins, other).nll + 1e-9


@given(MARGINS, st.floats(0.05, 20))
def test_scores_are_shares_and_no_temperature_makes_a_judge_right(margins, temperature):
    found = quality(margins, temperature)
    assert 0 <= found.brier <= 1
    assert 0 <= found.ece <= 1
    assert [m > 0 for m in margins] == [m / temperature > 0 for m in margins]


@given(st.lists(st.floats(-40, 0), min_size=2, max_size=10), st.floats(0.05, 20))
def test_at_a_temperature_choices_keep_their_order_and_add_up_to_one(likelihoods, temperature):
    found = at_temperature(likelihoods, temperature)
    if temperature != 1:
        assert math.fsum(map(math.exp, found)) == pytest.approx(1)
    ranked = [found[i] for i in sorted(range(len(found)), key=likelihoods.__getitem__)]
    assert all(low <= high + 1e-9 for low, high in pairwise(ranked))


def test_a_choice_that_is_impossible_stays_so():
    a, b = at_temperature((0.0, float("-inf")), 3.0)
    assert (a, b) == (0.0, float("-inf"))


def test_the_calibration_error_is_that_of_its_definition():
    # three judgments in one bin, confidence 0.9, two of them right; one even, half right
    margin = math.log(9)
    assert calibration_error([margin, margin, -margin]) == pytest.approx(0.9 - 2 / 3)
    assert calibration_error([0.0]) == 0
    assert calibration_error([50.0, 50.0]) == pytest.approx(0)


def test_too_few_judgments_are_counted_and_the_cure_is_named():
    with pytest.raises(DataError, match=r"18 judgments of 9 pairs; expected at least 60"):
        calibrate([1.0] * 18, "verdict-1")


@pytest.mark.parametrize(
    ("margins", "told"),
    [([2.0] * MIN_JUDGMENTS, "all are right"), ([-2.0] * MIN_JUDGMENTS, "only 0 of 60 are right")],
)
def test_a_judge_that_never_errs_or_always_does_has_no_temperature(margins, told):
    with pytest.raises(DataError, match=told):
        calibrate(margins, "verdict-1")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_log_odds_that_are_no_numbers_have_no_temperature(odd):
    some = [2.0, 1.0, -0.5] * MIN_JUDGMENTS
    with pytest.raises(DataError, match=f"1 of {len(some) + 1} judgments have no probability"):
        calibrate([odd, *some], "f")


def test_a_calibration_counts_in_its_own_format_alone(tmp_path):
    found = calibrate(drawn(4.0), "verdict-1")
    write_calibration(tmp_path, found)
    assert read_calibration(tmp_path) == found
    assert temperature_of(tmp_path, "verdict-1") == found.temperature
    assert temperature_of(tmp_path, "decision-2") == 1
    write_calibration(tmp_path, None)
    assert read_calibration(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"ste_calibration": 99}, ConfigError, "found form 99"),
        ({"temperature": 0}, DataError, "expected one above 0"),
        ({"temperature": "hot"}, DataError, "not what a training or `ste calibrate` writes"),
        ({"typo": 1}, DataError, "typo"),
    ],
)
def test_a_damaged_or_newer_file_is_refused(tmp_path, change, error, told):
    write_calibration(tmp_path, calibrate(drawn(4.0), "verdict-1"))
    path = tmp_path / NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error, match=told):
        read_calibration(tmp_path)


@given(MARGINS)
def test_the_bins_of_a_diagram_hold_every_judgment_and_make_the_calibration_error(margins):
    bins = reliability(margins)
    assert len(bins) == 10
    assert sum(b.judgments for b in bins) == len(margins)
    gaps = sum(b.judgments * abs(b.confidence - b.accuracy) for b in bins)
    assert gaps / len(margins) == pytest.approx(calibration_error(margins), abs=1e-9)
    right = sum(0.5 if m == 0 else m > 0 for m in margins)
    assert sum(b.judgments * b.accuracy for b in bins) == pytest.approx(right, abs=1e-9)
    for at, b in enumerate(bins):
        if b.judgments:
            assert 0.5 + at / 20 - 1e-9 <= b.confidence <= 0.5 + (at + 1) / 20 + 1e-9


def test_a_format_of_other_words_is_warned_of_and_another_format_is_not(tmp_path, caplog):
    write_calibration(tmp_path, calibrate(drawn(4.0), "decision-1"))
    assert temperature_of(tmp_path, "brief-1") == 1
    assert not caplog.text
    assert temperature_of(tmp_path, "decision-2") == 1
    assert "calibrated in the format decision-1, and asked in decision-2" in caplog.text


def test_what_lies_beside_a_judge_is_no_file_for_another_one(tmp_path):
    write_calibration(tmp_path, calibrate(drawn(4.0), "verdict-1"))
    with pytest.raises(ConfigError, match="for the judge in whose folder it lies"):
        temperature_in(tmp_path / NAME, "folder:another", "verdict-1")
