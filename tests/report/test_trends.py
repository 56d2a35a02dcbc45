"""Figures of an audit over the rounds, with the thresholds that they are held to."""

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.run_audit import keep
from ste_plugin.report.parts import Estimate
from ste_plugin.report.read_run import read_run
from ste_plugin.report.trends import trend_panels
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.measured_runs import measured_run


def finding(name, subject, figure, threshold=0.2, limit="most", check="collapse"):
    reach = None if figure is None else (figure - 0.05, figure + 0.05)
    return Finding(check, name, subject, figure, reach, threshold, 80, False, "w", "", limit)


def panels_of(tmp_path, *by_iteration, collapse=None):
    root = measured_run(tmp_path)
    for number, found in enumerate(by_iteration, start=1):
        keep(RunLayout(root), number, {"collapse": found})
    if collapse:
        replace_json(root / "audit/collapse.json", collapse)
    return {panel.title: panel for panel in trend_panels(read_run(root))}


def values(panel):
    return [estimate.value for _, estimate in panel.points]


def test_a_figure_that_two_rounds_have_is_drawn_with_its_threshold(tmp_path):
    panels = panels_of(
        tmp_path,
        [finding("letters", "iteration 1, judged by the seed", 0.1)],
        [finding("letters", "iteration 2, judged by iteration 1", 0.3)],
    )
    (panel,) = panels.values()
    assert [name for name, _ in panel.points] == ["seed", "iteration 1", "iteration 2"]
    assert values(panel) == [None, 0.1, 0.3]
    assert panel.points[2][1] == Estimate(0.3, (0.25, 0.35))
    assert (panel.limit, panel.note) == (0.2, "at most 0.2")


def test_the_seeds_figures_on_held_out_pairs_begin_the_line(tmp_path):
    panels = panels_of(
        tmp_path,
        [finding("position bias", "iteration 1, dev", 0.1)],
        collapse={
            "pairs": "dev",
            "judges": {"0": {"position bias": {"figure": 0.4, "interval": [0.3, 0.5]}}},
        },
    )
    panel = panels["position bias, dev"]
    assert panel.points[0][1] == Estimate(0.4, (0.3, 0.5))
    assert values(panel) == [0.4, 0.1, None]


def test_stages_and_sets_of_pairs_are_lines_of_their_own(tmp_path):
    subjects = ("iteration {}, judged by the seed", "iteration {}, stage 2")
    found = [[finding("letters", s.format(n), 0.1 * n) for s in subjects] for n in (1, 2)]
    assert list(panels_of(tmp_path, *found)) == ["letters", "letters, stage 2"]


def test_ratios_to_the_first_round_begin_with_it_at_1(tmp_path):
    name = "distinct pairs of words"
    panels = panels_of(
        tmp_path,
        [finding(name, "iteration 1, judged by the seed", None, None)],
        [finding(name, "iteration 2, judged by iteration 1", 0.8, 0.5, "least")],
    )
    assert values(panels[name]) == [None, 1.0, 0.8]
    assert panels[name].note == "of iteration 1's, at least 0.5"


def test_of_one_round_and_of_other_checks_nothing_is_drawn(tmp_path):
    one = [finding("letters", "iteration 1, judged by the seed", 0.1)]
    change = "letters since iteration 1"
    other = [finding("length", "easy", 0.1, check="shortcuts"), finding(change, "iteration 2", 0.1)]
    assert panels_of(tmp_path, one, other) == {}


def test_a_round_that_was_set_aside_has_no_place_on_the_line(tmp_path):
    root = measured_run(tmp_path)
    (root / "iter-09").mkdir()
    (root / "iter-09" / "judging.completions.jsonl").touch()  # these stay where they are
    for number, judge in ((1, "the seed"), (2, "iteration 1")):
        found = [finding("letters", f"iteration {number}, judged by {judge}", 0.1)]
        keep(RunLayout(root), number, {"collapse": found})
    (panel,) = trend_panels(read_run(root))
    assert "iteration 9" not in [name for name, _ in panel.points]
