"""The temperature of a judge's probabilities, fitted on labelled pairs."""

from math import log

import pytest

from ste_plugin.cascade.calibrating import fit_on_labels
from ste_plugin.cascade.labels import fit_labels
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judge import Judge
from ste_plugin.judging.calibration import NAME, write_calibration
from ste_plugin.testing import FakeEngine
from tests.helpers.cascades import StagedEngine, number_of, pair_row, use_engine, write_pairs

NUMBERS = [n for n in range(400) if n % 4 != 3]
"""Pairs that the engine does not decide by position."""


class TooSure(StagedEngine):
    """Three times as sure, in log-odds, as it is right."""

    def likely_a(self, request):
        p = super().likely_a(request)
        return p**3 / (p**3 + (1 - p) ** 3)


def calibrated(tmp_path, monkeypatch, rows, engine=TooSure, **settings):
    use_engine(monkeypatch, engine())
    labels = fit_labels(write_pairs(tmp_path / "people.jsonl", rows), None)
    with Judge("m", engine="local", format="verdict", force_verdict=True, **settings) as judge:
        return fit_on_labels(judge, labels)


def test_a_judge_that_is_three_times_as_sure_is_given_three_times_the_temperature(
    tmp_path, monkeypatch
):
    rows = list(map(pair_row, NUMBERS))
    found = calibrated(tmp_path, monkeypatch, rows)
    other = calibrated(tmp_path, monkeypatch, rows, StagedEngine)
    assert found.temperature == pytest.approx(3 * other.temperature, rel=0.001)
    assert found.judgments == 2 * len(NUMBERS)
    assert found.labels_by == "people"
    assert found.after.brier < found.before.brier
    assert found.after.ece < found.before.ece / 2


def test_an_earlier_calibration_of_its_folder_changes_nothing(tmp_path, monkeypatch):
    rows = list(map(pair_row, NUMBERS))
    plain = calibrated(tmp_path, monkeypatch, rows)
    own = tmp_path / "own.json"
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    write_calibration(folder, plain)
    (folder / NAME).rename(own)
    again = calibrated(tmp_path, monkeypatch, rows, calibration=own)
    assert again == plain


def test_labels_that_prefer_neither_answer_do_not_count(tmp_path, monkeypatch):
    rows = [pair_row(n, labels={"ann": "both" if n % 10 == 0 else "chosen"}) for n in NUMBERS]
    found = calibrated(tmp_path, monkeypatch, rows)
    assert found.judgments == 2 * sum(n % 10 != 0 for n in NUMBERS)


def test_too_few_labels_are_refused_before_the_judge_is_asked(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="40 judgments of 20 pairs; expected at least 60 of 30"):
        calibrated(tmp_path, monkeypatch, map(pair_row, NUMBERS[:20]))


def test_a_judge_that_is_mostly_wrong_has_no_temperature(tmp_path, monkeypatch):
    wrong = [pair_row(n, labels={"ann": "rejected"}) for n in NUMBERS]
    with pytest.raises(DataError, match="or take a better judge"):
        calibrated(tmp_path, monkeypatch, wrong)


def test_a_judge_that_tells_no_likelihoods_is_refused(tmp_path, monkeypatch):
    use_engine(monkeypatch, FakeEngine(lambda _: "[[A]]"))
    labels = fit_labels(write_pairs(tmp_path / "p.jsonl", map(pair_row, NUMBERS)), None)
    with (
        Judge("m", engine="local", format="verdict", force_verdict=True) as judge,
        pytest.raises(ConfigError, match="tells no likelihoods of two letters"),
    ):
        fit_on_labels(judge, labels)


def test_a_comparison_tells_log_odds_in_the_caller_s_letters_before_calibration(monkeypatch):
    use_engine(monkeypatch, StagedEngine())
    row = pair_row(4)
    pair = row["prompt"], row["rejected"], row["chosen"]
    with Judge("m", engine="local", format="verdict", force_verdict=True) as judge:
        found = judge.compare(*pair)
    for order in found.orders:
        assert order.log_odds == pytest.approx(log(order.probability / (1 - order.probability)))


class Silent(TooSure):
    """Has no likelihoods for some pairs."""

    def __init__(self, every):
        super().__init__()
        self.every = every

    def choice_log_likelihoods(self, requests):
        for request in requests:
            if number_of(request) % self.every:
                yield from super().choice_log_likelihoods([request])


def test_pairs_without_likelihoods_are_told(tmp_path, monkeypatch):
    told = []
    use_engine(monkeypatch, Silent(every=2))
    labels = fit_labels(write_pairs(tmp_path / "p.jsonl", map(pair_row, NUMBERS)), None)
    with Judge("m", engine="local", format="verdict", force_verdict=True) as judge:
        found = fit_on_labels(judge, labels, told.append)
    without = sum(n % 2 == 0 for n in NUMBERS)
    assert found.judgments == 2 * (len(NUMBERS) - without)
    assert told == [
        f"calibration: {without} of {len(NUMBERS)} pairs have no likelihoods (the first: no "
        "likelihoods of the letters); they do not count."
    ]


def test_where_no_pair_has_likelihoods_more_labels_are_not_asked_for(tmp_path, monkeypatch):
    use_engine(monkeypatch, Silent(every=1))
    labels = fit_labels(write_pairs(tmp_path / "p.jsonl", map(pair_row, NUMBERS)), None)
    with (
        Judge("m", engine="local", format="verdict", force_verdict=True) as judge,
        pytest.raises(DataError, match=r"300 of 300 pairs have no likelihoods .*`ste judge`"),
    ):
        fit_on_labels(judge, labels)
