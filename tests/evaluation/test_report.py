"""Tables of a run's figures: how many pairs each figure is of."""

import io
from dataclasses import replace

from rich.console import Console

from ste_plugin.context import IterationReport, reported_figures
from ste_plugin.evaluation.report import iterations_table, judge_line, strategies_table, write_page
from tests.helpers.measured_runs import judged_pairs, measured


def with_ties(folder):
    """An iteration on 20 pairs: 6 are ties, 4 were not asked about."""
    pairs = judged_pairs(20, 0.9, 1)
    pairs[:6] = [replace(pair, votes=(0, 0, 1)) for pair in pairs[:6]]
    pairs[16:] = [replace(pair, fits=False) for pair in pairs[16:]]
    found = measured(folder / "eval/people", pairs)
    figures = {"people": reported_figures(found)}
    return IterationReport(1, str(folder), "m", figures, 1, 1, 1, 1, None, 0.1), found


def test_tables_say_how_many_pairs_count_and_what_the_others_are(tmp_path):
    report, found = with_ties(tmp_path)
    drawn = io.StringIO()
    console = Console(file=drawn, width=200)
    console.print(iterations_table([report], "people"))
    console.print(strategies_table([report], "people"))
    told = "20 people pairs (6 without a better answer, 4 not asked about), each in both orders"
    assert told in drawn.getvalue()
    assert "other-instruction (5)" in drawn.getvalue()
    line = judge_line("m", "people", found)
    assert (line["n"], line["counted"]) == (20, 10)
    write_page(report)
    assert "| people | 20, accuracy of 10 |" in (tmp_path / "report.md").read_text()


def test_where_all_pairs_count_nothing_more_is_said(tmp_path):
    found = measured(tmp_path / "eval/test", judged_pairs(20, 0.9, 1))
    assert judge_line("m", "test", found)["counted"] is None


def test_a_kind_of_pairs_that_one_judge_was_not_measured_on_is_a_dash(tmp_path):
    found = reported_figures(measured(tmp_path / "eval/people", judged_pairs(20, 0.9, 1)))
    renamed = found | {"subsets": {"crowd": next(iter(found["subsets"].values()))}}
    reports = [
        IterationReport(n, str(tmp_path), "m", {"people": f}, 1, 1, 1, 1, None, 0.1)
        for n, f in enumerate((found, renamed))
    ]
    drawn = io.StringIO()
    Console(file=drawn, width=200).print(strategies_table(reports, "people"))
    lines = [line for line in drawn.getvalue().splitlines() if "seed" in line or "iter" in line]
    assert "crowd" in drawn.getvalue()
    assert ["–" in line for line in lines] == [True, True]
