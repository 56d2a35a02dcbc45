"""The report's section on what of the benchmarks was among the instructions."""

from ste_plugin.report.kept_out_section import kept_out_sections
from ste_plugin.report.parts import Paragraph, Table
from ste_plugin.report.read_run import read_run
from ste_plugin.storage.jsonl import read_json, replace_json
from tests.helpers.measured_runs import measured_run

COUNTS = {"exact": 3, "near-duplicate": 1, "8-grams": 2, "13-grams": 4}


def with_kept_out(root, **found):
    path = root / "pool/done.json"
    kept_out = {"compared": 200, "benchmarks": {}, "unread": {}, "dropped": 0} | found
    replace_json(path, read_json(path) | {"kept_out": kept_out})
    return kept_out_sections(read_run(root))


def test_each_benchmark_is_a_row_of_counts(tmp_path):
    people = {"prompts": 40, "short": 0, "found": COUNTS, "instructions": COUNTS}
    (section,) = with_kept_out(measured_run(tmp_path), benchmarks={"people": people}, dropped=6)
    told, table = section.parts
    assert isinstance(told, Paragraph)
    assert told.text.startswith("6 of 200 instructions repeated what the run measures on")
    assert isinstance(table, Table)
    assert table.rows == [["people", 40, 3, 1, 2, 4]]


def test_what_was_not_counted_of_a_benchmark_is_told(tmp_path):
    shared = {"grams": 27, "prompts": 40, "quote": "below is an instruction"}
    people = {"prompts": 40, "short": 0, "found": COUNTS, "instructions": COUNTS, "shared": shared}
    (section,) = with_kept_out(measured_run(tmp_path), benchmarks={"people": people})
    *_, told = section.parts
    assert isinstance(told, Paragraph)
    assert told.text == (
        "people: not counted, as 40 of its prompts share them: 27 8-grams, “below is an "
        "instruction”."
    )


def test_a_benchmark_that_could_not_be_read_stands_out(tmp_path):
    (section,) = with_kept_out(measured_run(tmp_path), unread={"ste_llmbar": "no network"})
    (told,) = section.parts
    assert isinstance(told, Paragraph)
    assert (told.tone, "no network" in told.text) == ("bad", True)


def test_without_benchmarks_and_in_older_runs_there_is_no_section(tmp_path):
    root = measured_run(tmp_path)
    assert kept_out_sections(read_run(root)) == []
    assert with_kept_out(root) == []
