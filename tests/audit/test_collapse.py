"""A run that collapsed is found by its figures, and a clean one is silent; missing files decide
nothing."""

import pytest

from ste_plugin.audit.collapse import check_collapse
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json
from tests.helpers.judged_runs import config_of, judges_trained, labelled, run


def findings(path, iteration):
    with open_run(path, [], quiet=True) as context:
        return list(check_collapse(context, iteration))


@pytest.fixture(scope="module")
def clean(tiny_model, tmp_path_factory):
    """A finished run whose judges get better, and whose people agree with them."""
    folder = tmp_path_factory.mktemp("clean")
    path = config_of(folder, tiny_model, iterations=2)
    with judges_trained(0.85, 0.95):
        run(path)
    return path


def planted(tiny_model, folder, *judges, **more):
    """A run without gates, so that every judge judges in the next iteration."""
    off = {"position_bias": None, "consistency": None, "invalid_rate": None, "accuracy_loss": None}
    off |= {"variety": None, "length": None, "agreement_loss": None, "audit": "ignore"}
    path = config_of(folder, tiny_model, iterations=len(judges), gates=off, **more)
    with judges_trained(*judges):
        run(path)
    return path


def test_a_clean_run_is_silent_and_every_figure_is_told(clean):
    found = findings(clean, 2)
    assert [f for f in found if f.failed] == []
    names = {f.name for f in found if f.figure is not None}
    assert names >= {
        "position bias",
        "position bias since the seed",
        "no verdict",
        "letters",
        "letters since iteration 1",
        "forced",
        "same verdict each time",
        "distinct pairs of words",
        "distinct triples of words",
        "size compressed",
        "length",
    }
    assert len({(f.name, f.subject) for f in found}) == len(found)


def test_a_judge_that_repeats_itself_is_found_by_its_words(tiny_model, tmp_path):
    path = planted(tiny_model, tmp_path, "parrot", "parrot")
    failed = {f.name: f for f in findings(path, 2) if f.failed}
    assert set(failed) == {
        "distinct pairs of words",
        "distinct triples of words",
        "size compressed",
    }
    pairs = failed["distinct pairs of words"]
    assert pairs.figure < 0.2
    assert pairs.interval[1] < pairs.threshold == 0.5
    assert "of iteration 1's on the same questions; at least 50%" in pairs.words


def test_a_judge_that_stops_reasoning_is_found_by_the_length(tiny_model, tmp_path):
    path = planted(tiny_model, tmp_path, "terse", "terse")
    assert "length" in {f.name for f in findings(path, 2) if f.failed}


def test_levels_are_those_of_the_config(tiny_model, tmp_path):
    lax = {"variety": 0.001, "longest": 50.0, "position_bias": 0.45}
    path = planted(tiny_model, tmp_path, "parrot", "parrot", audit=lax)
    found = {f.name: f for f in findings(path, 2)}
    assert not found["distinct pairs of words"].failed
    assert found["distinct pairs of words"].threshold == 0.001
    assert found["position bias"].threshold == 0.45
    assert {f.name for f in found.values() if f.failed} <= {"size compressed"}


def test_the_seeds_own_figures_are_told_and_not_held_to_a_level(clean):
    (letters,) = [f for f in findings(clean, 1) if f.name == "letters"]
    assert letters.threshold is None
    assert letters.words.endswith("the seed's is only told.")


def test_one_round_leaves_the_trend_undecided_and_judges_the_levels(clean):
    found = findings(clean, 1)
    assert [f.name for f in found if f.undecided] == ["variety"]
    assert next(f for f in found if f.name == "position bias").threshold == 0.2


def test_of_a_handful_of_dev_prompts_nothing_is_decided(tiny_model, tmp_path):
    dataset = {"dev_fraction": 0.08, "test_fraction": 0.1}
    path = config_of(tmp_path, tiny_model, iterations=1, dataset=dataset)
    with judges_trained("always A"):
        (_, report) = run(path)
    assert not [words for words in report.broken if words.startswith(("position", "consistency"))]
    (bias,) = [f for f in findings(path, 1) if f.name == "position bias"]
    assert bias.undecided
    assert bias.words.startswith("undecided, of too few prompts: one letter gets 100%")
    gates = read_json(tmp_path / "run/iter-01/gates.json")["findings"]
    assert {f["figure"] for f in gates if f["name"] == "position_bias"} == {None}


def test_without_judgments_or_dev_pairs_nothing_is_decided_and_nothing_fails(tiny_model, tmp_path):
    dataset = {"dev_fraction": 0.0, "test_fraction": 0.0}
    path = config_of(tmp_path, tiny_model, iterations=1, dataset=dataset)
    with judges_trained(0.9):
        run(path)
    for name in ("judgments.jsonl", "pass_rates.jsonl"):
        (tmp_path / "run/iter-01" / name).unlink()
    found = findings(path, 1)
    assert found
    assert all(f.undecided and not f.failed for f in found)


def test_a_bare_letter_has_no_words_to_vary_and_is_forced_by_design(tiny_model, tmp_path):
    judging = {"format": "verdict", "samples": 4, "force_verdict": True}
    path = planted(tiny_model, tmp_path, 0.9, judging=judging)
    names = {f.name for f in findings(path, 1)}
    assert not names & {"forced", "variety", "length", "distinct pairs of words"}


def test_agreement_with_people_that_falls_while_dev_rises_is_found(tiny_model, tmp_path):
    labelled(tmp_path / "people.jsonl")
    evaluation = {"pairs": {"people": "people.jsonl"}}
    path = planted(tiny_model, tmp_path, "learns the pairs", evaluation=evaluation)
    (found,) = [f for f in findings(path, 1) if f.failed]
    assert (found.name, found.subject) == ("agreement", "iteration 1, people")
    assert found.interval[1] < 0
    assert "while on dev pairs it rose from 53% to" in found.words


def test_the_table_has_every_judge_and_round(clean):
    findings(clean, 2)
    table = read_json(clean.parent / "run/audit/collapse.json")
    assert set(table["judges"]) == {"0", "1", "2"}
    assert [(row["iteration"], row["judged_by"]) for row in table["rounds"]] == [(1, 0), (2, 1)]
    assert all(row["words"] > 15 for row in table["rounds"])
