"""How sure judges of letters are is drawn beside how often they are right."""

from dataclasses import replace
from math import log

import pytest

from ste_plugin.judging.calibration import NAME, Calibration, quality, write_calibration
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.report.page import render
from ste_plugin.report.parts import Details, Paragraph, Table
from ste_plugin.report.read_run import read_run
from ste_plugin.report.reliability import reliability_parts
from ste_plugin.storage.jsonl import replace_json
from tests.helpers.measured_runs import measured, measured_run

SURE = log(0.92 / 0.08)
"""Log-odds of 92%."""
TEMPERATURE = 2.0


def pair(number, right):
    orders = [(g, SURE if (g == "A") == right else -SURE) for g in "AB"]
    said = (OrderVerdict(g, None, "A" if odds > 0 else "B", log_odds=odds) for g, odds in orders)
    return JudgedPair(f"p{number}", "subset", f"q{number}", tuple(said), 40, 40)


def run(tmp_path, temperature=None, judge_format="decision-1"):
    """A run whose trained judge is sure by 92%, and right three times in four."""
    root = measured_run(tmp_path, skills=(0.5, 0.5))
    judged = [pair(n, right=n % 4 > 0) for n in range(40)]
    settings = JudgeSettings(mode="likelier")
    for name in ("dev", "test"):
        summary = summarised(judged, settings)
        folder = root / "iter-01/eval" / name
        measured(folder, judged, judge_format="decision-1", **summary)
    if temperature:
        model = root / "iter-01/model/merged"
        model.mkdir(parents=True)
        known = quality([SURE])
        found = Calibration(1, temperature, judge_format, 80, 60, known, known)
        write_calibration(model, found)
        trained = {"final": "merged", "data_sha256": {}, "steps": 3, "seal": {}}
        replace_json(model.parent / "trained.json", trained)
        assert (model / NAME).exists()
    return read_run(root)


def summarised(judged, settings):
    from ste_plugin.lm_eval_tasks.figures import summarise

    return summarise(judged, settings=settings)


def diagrams(figures, name="test"):
    (details,) = reliability_parts(figures, figures.rounds[-1], name)
    assert isinstance(details, Details)
    return [p for p in details.parts if isinstance(p, Table)], words(details)


def words(details):
    return " ".join(p.text for p in details.parts if isinstance(p, Paragraph))


def test_a_row_of_the_diagram_is_a_bin_with_how_sure_and_how_often_right(tmp_path):
    (table,), told = diagrams(run(tmp_path))
    ((bin_name, strip, sure, right, count),) = table.rows
    assert bin_name == "90% to 95%"
    assert sure == pytest.approx(0.92)
    assert right.value == pytest.approx(0.75)
    assert count == 80
    low, high = right.interval
    assert 0.5 < low < 0.75 < high < 0.95
    assert [mark.label for mark in strip.marks] == ["sure", "right"]
    assert "as the model gives them" in told


def test_pairs_of_one_prompt_are_one_case(tmp_path):
    figures = run(tmp_path)
    ((*_, apart, _),) = diagrams(figures)[0][0].rows
    judged = [replace(pair(n, right=n % 40 >= 10), prompt=f"q{n // 10}") for n in range(40)]
    folder = figures.folder.root / "iter-01/eval/test"
    summary = summarised(judged, JudgeSettings(mode="likelier"))
    measured(folder, judged, judge_format="decision-1", **summary)
    ((*_, together, _),) = diagrams(read_run(figures.folder.root))[0][0].rows
    assert together.value == apart.value == pytest.approx(0.75)
    assert together.interval[0] < apart.interval[0] - 0.1


def test_a_calibrated_judge_is_drawn_after_its_temperature_too(tmp_path):
    figures = run(tmp_path, TEMPERATURE)
    tables, told = diagrams(figures)
    assert len(tables) == 2
    ((bin_name, _, sure, right, count),) = tables[1].rows
    assert (bin_name, count) == ("75% to 80%", 80)
    assert sure == pytest.approx(0.772, abs=0.001)
    assert right.value == pytest.approx(0.75)
    assert "temperature 2" in told
    assert "calibration error from 0.170 to 0.022" in told
    assert "on which it was fitted" not in told
    assert "on which it was fitted" in diagrams(figures, "dev")[1]


def test_a_temperature_of_another_format_is_not_drawn(tmp_path):
    tables, told = diagrams(run(tmp_path, TEMPERATURE, judge_format="verdict-1"))
    assert len(tables) == 1
    assert "temperature" not in told


def test_the_diagram_is_on_the_page(tmp_path):
    from ste_plugin.report.result_sections import result_sections

    figures = run(tmp_path, TEMPERATURE)
    page = render(figures, [("ste", section) for section in result_sections(figures)])
    assert page.count("test, at the temperature 2.") == 1
    assert "how often right" in page


def test_a_judge_whose_likelihoods_were_not_measured_has_none(tmp_path):
    figures = read_run(measured_run(tmp_path))
    assert reliability_parts(figures, figures.rounds[-1], "test") == []
