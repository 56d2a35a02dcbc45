"""Costs, training data and drops: what is counted is what the run's files say."""

from ste_plugin.report.making_sections import making_sections
from ste_plugin.report.parts import Details, Paragraph, Table
from ste_plugin.report.read_run import read_run
from ste_plugin.storage.jsonl import read_json, replace_json
from tests.helpers.measured_runs import measured_run


def section(root, anchor):
    return next(s for s in making_sections(read_run(root)) if s.anchor == anchor)


def rows(part: Table) -> dict[object, dict[str, object]]:
    names = [column.heading for column in part.columns]
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in part.rows}


def test_costs_add_up_over_rounds(tmp_path):
    table = rows(section(measured_run(tmp_path), "costs").parts[0])
    assert table["iteration 1"]["tokens read"] == 81_000
    assert table["all"]["tokens written"] == 13_904 + 2 * 42_000
    assert table["iteration 2"]["training"] == "15 min"
    assert table["all"]["measuring"] == "3 min"
    assert "cost" not in table["all"]


def test_money_is_shown_where_prices_are_set(tmp_path):
    root = measured_run(tmp_path)
    for number, cost in ((1, 1.5), (2, 2.25)):
        path = root / f"iter-0{number}/done.json"
        replace_json(path, read_json(path) | {"cost": cost})
    table = rows(section(root, "costs").parts[0])
    assert table["all"]["cost"] == 3.75


def test_drops_of_the_pool_are_counted_once_however_many_rounds_repeat_them(tmp_path):
    drops = section(measured_run(tmp_path), "left-out")
    table = rows(drops.parts[0])
    assert table["better answer cut off by the token limit"][""] == 47
    assert table["no correct judgment"][""] == 36
    by_round = next(p for p in drops.parts if isinstance(p, Details)).parts[0]
    assert rows(by_round)["no correct judgment"]["iteration 2"] == 18


def test_training_rows_are_told_by_strategy_and_letter(tmp_path):
    _, counts, strategies = section(measured_run(tmp_path), "data").parts
    assert rows(counts)["iteration 1"]["better shown as A"] == 60
    assert rows(strategies)["other-instruction"]["iteration 2"] == 60


def test_ratings_of_one_answer_each_have_no_letter_that_the_better_one_is_shown_as(tmp_path):
    root = measured_run(tmp_path)
    for path in root.glob("iter-*/dataset/manifest.json"):
        replace_json(path, read_json(path) | {"judge_format": {"name": "x", "pointwise": True}})
    _, counts, _ = section(root, "data").parts
    assert rows(counts)["iteration 1"]["training rows"] > 0
    assert not rows(counts)["iteration 1"].keys() & {"better shown as A", "as B"}


def test_a_stage_of_a_plugins_own_that_counts_nothing_is_shown_without_counts(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.6))
    replace_json(root / "iter-01/dataset/manifest.json", {"files": {}, "judge_format": {}})
    assert rows(section(root, "data").parts[1]) == {"iteration 1": {}}
    assert rows(section(root, "costs").parts[0])["iteration 1"]["tokens read"] is None


def test_before_anything_is_made_each_section_says_so(tmp_path):
    root = measured_run(tmp_path, skills=(), best=None)
    (root / "pool/done.json").unlink()
    (root / "events.jsonl").unlink()
    words = [p.text for p in section(root, "data").parts if isinstance(p, Paragraph)]
    assert words == ["No pairs are made yet.", "No data set is made yet."]
    assert section(root, "left-out").parts == [Paragraph("Nothing was left out.")]
