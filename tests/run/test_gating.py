"""An iteration that breaks a gate is not shipped and judges nothing; a sane run passes them all."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.run_audit import read_findings
from ste_plugin.context import IterationReport
from ste_plugin.errors import ConfigError, DataError, PluginError
from ste_plugin.run import gating, loop, stages
from ste_plugin.run.loop import decide
from ste_plugin.run.open_run import open_run
from ste_plugin.run.redo import Redo
from ste_plugin.run.status import read_status
from ste_plugin.storage.jsonl import read_json, read_rows
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.judged_runs import HOOKS, config_of, judges_trained, labelled, report_of, run

COLLAPSED = (0.9, "always A", 0.95)
OFF = dict.fromkeys(("position_bias", "consistency", "accuracy_loss"))


@pytest.fixture(scope="module")
def collapsed(tiny_model, tmp_path_factory):
    """A run of three iterations whose second judge always says A."""
    path = config_of(tmp_path_factory.mktemp("collapsed"), tiny_model)
    with judges_trained(*COLLAPSED):
        run(path)
    return path


def manifest(path, number):
    return read_json(path.parent / f"run/iter-{number:02d}/dataset/manifest.json")


def decision(path, number):
    return read_json(path.parent / f"run/iter-{number:02d}/gates.json")


def changed(path, **settings):
    config = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(config | settings))
    return path


def test_a_judge_that_collapsed_to_one_letter_is_not_shipped(collapsed):
    report = report_of(collapsed)
    assert report["best"] == 3
    assert [bool(row["broken"]) for row in report["iterations"]] == [False, False, True, False]
    (bias, *_) = report["iterations"][2]["broken"]
    assert bias.startswith("position_bias: one letter gets 100% of its verdicts (the seed 53%,")


def test_the_iteration_after_it_is_judged_by_the_last_judge_that_passed(collapsed):
    assert [manifest(collapsed, n)["judged_by"]["iteration"] for n in (1, 2, 3)] == [0, 1, 1]
    assert manifest(collapsed, 3)["judge"] == manifest(collapsed, 2)["judge"]
    assert decision(collapsed, 3)["reference"] == 1


def test_a_judge_that_judges_again_draws_samples_of_its_own(collapsed):
    keys = [
        {
            row["key"].rpartition("-")[0]
            for _, row in read_rows(collapsed.parent / f"run/iter-{n:02d}/judgments.jsonl")
        }
        for n in (2, 3)
    ]
    assert len(keys[0]) > 50
    assert not keys[0] & keys[1]


def test_status_report_and_events_say_which_gate_and_why(collapsed):
    root = collapsed.parent / "run"
    told = {s["stage"]: s["told"] for s in read_status(root)["stages"]}
    assert "breaks position_bias" in told["iteration 2 evaluated"]
    assert "breaks" not in told["iteration 3 evaluated"]
    page = (root / "iter-02/report.md").read_text()
    assert "Not shipped, and judges nothing" in page
    events = [row for _, row in read_rows(root / "events.jsonl") if row["stage"] == "gates"]
    assert [row["passed"] for row in events] == [True, False, True]


def test_the_audit_of_collapse_finds_it_and_is_silent_before(collapsed):
    found = read_findings(RunLayout(collapsed.parent / "run"))
    failed = {n: {f.name for f in found[n]["collapse"] if f.failed} for n in found}
    assert failed[2] >= {"position bias", "position bias since the seed"}
    assert failed[1] == failed[3] == set()


def test_a_sane_run_passes_and_ships_its_best(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model)
    with judges_trained(0.85, 0.95, 0.94):
        run(path)
    report = report_of(path)
    assert not any(row["broken"] for row in report["iterations"])
    assert report["best"] == 2
    assert not decision(path, 2)["warnings"]


def test_a_fault_that_the_seed_has_too_is_told_and_breaks_nothing(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model, iterations=2)
    with judges_trained("says nothing", "says nothing"):
        run(path)
    first, second = decision(path, 1), decision(path, 2)
    assert not first["passed"]  # the seed states verdicts
    assert second["reference"] == 0
    shutil.copytree(
        tmp_path / "run/iter-01/eval/dev", tmp_path / "run/iter-00/eval/dev", dirs_exist_ok=True
    )
    for number in (1, 2):
        (tmp_path / f"run/iter-0{number}/gates.json").unlink()
    with open_run(path, [], quiet=True) as context:
        found = gating.decide_gates(context, 1)
    (silent,) = [f for f in found.findings if f["name"] == "invalid_rate"]
    assert found.passed
    assert silent["words"].startswith(
        "beyond its level; not held against it, as the seed is not clearly better: 100% of its "
    )


@pytest.mark.parametrize("keep", ["best", "last"])
def test_where_no_iteration_passes_the_seed_is_shipped(tiny_model, tmp_path, keep):
    path = config_of(tmp_path, tiny_model, iterations=2, keep=keep)
    with judges_trained("always A", "always A"):
        run(path)
    assert report_of(path)["best"] == 0
    assert [manifest(path, n)["judged_by"]["iteration"] for n in (1, 2)] == [0, 0]


def test_keep_last_ships_the_last_that_passed(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model, iterations=2, keep="last")
    with judges_trained(0.9, "always A"):
        run(path)
    assert report_of(path)["best"] == 1


@pytest.mark.parametrize(
    ("judges", "gate"),
    [
        ("parrot", "variety"),
        ("terse", "length"),
        ("says nothing", "invalid_rate"),
        (0.3, "accuracy_loss"),
    ],
)
def test_each_fault_breaks_its_gate(tiny_model, tmp_path, judges, gate):
    path = config_of(tmp_path, tiny_model, iterations=1)
    with judges_trained(judges):
        (_, report) = run(path)
    assert gate in [words.partition(":")[0] for words in report.broken]


@pytest.mark.parametrize(("people", "breaks"), [(None, True), (["people"], True), ([], False)])
def test_a_judge_that_learns_the_pairs_and_not_what_people_prefer_is_not_shipped(
    tiny_model, tmp_path, people, breaks
):
    labelled(tmp_path / "people.jsonl")
    evaluation = {"pairs": {"people": "people.jsonl"}}
    gates = {"people": people}
    path = config_of(tmp_path, tiny_model, iterations=1, evaluation=evaluation, gates=gates)
    with judges_trained("learns the pairs"):
        (_, report) = run(path)
    assert [words.partition(":")[0] for words in report.broken] == ["agreement_loss"] * breaks


figures = st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans())


@given(st.lists(figures, min_size=1), st.sampled_from(["best", "last"]), st.booleans())
def test_what_is_shipped_never_broke_a_gate_and_is_the_best_or_last_of_the_others(
    found, keep, has_dev
):
    reports = [
        IterationReport(
            number=n,
            folder="",
            model="",
            evaluations={"dev": {"overall": {"acc_pc": pc, "acc": acc}}} if has_dev else {},
            sampled=0,
            kept=0,
            tokens=0,
            prompt_tokens=0,
            cost=None,
            minutes=0.0,
            broken=("a gate: it breaks.",) * (broken and n > 0),
        )
        for n, (pc, acc, broken) in enumerate(found)
    ]
    best = decide(reports, keep)
    passed = [r for r in reports if not r.broken]
    assert best in [r.number for r in passed]
    if keep == "last" or not has_dev:
        assert best == passed[-1].number
    else:
        shipped = reports[best].evaluations["dev"]["overall"]["acc_pc"]
        assert all(r.evaluations["dev"]["overall"]["acc_pc"] <= shipped for r in passed)


@pytest.mark.parametrize("gates", [{"position_bias": None}, {"audit": "ignore"}])
def test_a_gate_that_is_off_is_not_looked_at(tiny_model, tmp_path, gates):
    path = config_of(tmp_path, tiny_model, iterations=1, gates=gates)
    with judges_trained("always A"):
        run(path)
    names = [f["name"] for f in decision(path, 1)["findings"] if f["check"] == "gates"]
    assert ("position_bias" in names) == ("position_bias" not in gates)
    checks = {f["check"] for f in decision(path, 1)["findings"]}
    assert ("collapse" in checks) == ("audit" not in gates)


def test_what_training_pairs_give_away_is_told_and_decides_nothing(tiny_model, tmp_path, capsys):
    dataset = {"dev_fraction": 0.2, "test_fraction": 0.0}
    gates = {"audit": "block"}
    path = config_of(tmp_path, tiny_model, iterations=1, dataset=dataset, gates=gates)
    with judges_trained(0.9), open_run(path, []) as context:
        (_, report) = loop.run(context)
    assert not report.broken
    found = read_findings(RunLayout(tmp_path / "run"))[1]["shortcuts"]
    assert any(f.failed for f in found)  # here the better answers are those that name the question
    told = " ".join(capsys.readouterr().err.split())
    assert "its training pairs can be told without the question, by" in told


def test_without_dev_pairs_no_gate_is_decided_and_none_breaks(tiny_model, tmp_path):
    dataset = {"dev_fraction": 0.0, "test_fraction": 0.3}
    path = config_of(tmp_path, tiny_model, iterations=1, dataset=dataset)
    with judges_trained("always A"):
        run(path)
    assert decision(path, 1)["passed"]
    found = [f for f in decision(path, 1)["findings"] if f["check"] == "gates"]
    assert found and all(f["figure"] is None for f in found)


def test_under_block_what_the_audit_finds_breaks_a_gate(tiny_model, tmp_path):
    gates = {"position_bias": None, "consistency": None, "accuracy_loss": None, "audit": "block"}
    path = config_of(tmp_path, tiny_model, iterations=1, gates=gates)
    with judges_trained("always A"):
        (_, report) = run(path)
    assert any(words.startswith("the audit: position bias") for words in report.broken)


class Killed(Exception):
    """Stands for the end of the process."""


def steps_of(tiny_model, folder):
    steps = []
    with judges_trained(*COLLAPSED, on_step=steps.append):
        run(config_of(folder, tiny_model))
    return steps


def test_a_run_killed_before_and_after_each_step_ends_the_same(
    collapsed, tiny_model, tmp_path_factory
):
    total = len(steps_of(tiny_model, tmp_path_factory.mktemp("counted")))
    assert total > 30
    path, left = config_of(tmp_path_factory.mktemp("killed"), tiny_model), [0]

    def count(step):
        left[0] -= 1
        if left[0] < 0:
            raise Killed(step)

    for killed_at in range(total):  # a little further each time, from wherever it was left
        left[0] = killed_at % 3
        with judges_trained(*COLLAPSED, on_step=count):
            try:
                run(path)
            except Killed:
                continue
        break
    else:
        with judges_trained(*COLLAPSED):
            run(path)
    assert report_of(path) == report_of(collapsed)
    for number in (1, 2, 3):
        assert manifest(path, number)["files"] == manifest(collapsed, number)["files"]
        assert decision(path, number) == decision(collapsed, number)


def test_changed_gates_that_change_no_judge_decide_anew_on_a_finished_run(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model, iterations=2)
    with judges_trained(0.9, "always A"):
        run(path)
        assert report_of(path)["best"] == 1
        run(changed(path, gates=OFF, keep="last"))
    assert report_of(path)["best"] == 2
    assert read_json(path.parent / "run/iter-02/done.json")["broken"] == []


def test_changed_gates_that_change_who_judges_are_refused_with_what_to_do(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model)
    with judges_trained(0.9, 0.3, 0.95):
        run(path)
        changed(path, gates={"accuracy_loss": None})
        with pytest.raises(ConfigError, match="as the gates are set now iteration 2"):
            run(path)
        with open_run(path, [], quiet=True, redo=Redo("generate", 3)) as context:
            stages.generate(context, 3)
    assert manifest(path, 3)["judged_by"]["iteration"] == 2
    assert (path.parent / "run/old-1/iter-03/gates.json").exists()


def test_an_iteration_that_was_not_measured_judges_nothing(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model)
    with judges_trained(*COLLAPSED), open_run(path, [], quiet=True) as context:
        stages.generate(context, 1)
        stages.train(context, 1)
        with pytest.raises(DataError, match="Measure it first: `ste eval CONFIG --iteration 1`"):
            stages.generate(context, 2)
        stages.evaluate(context, 0)
        stages.evaluate(context, 1)
        assert stages.generate(context, 2).exists()


def forget_gates(path, numbers):
    """Leave of these iterations what a build without gates had written."""
    for number in numbers:
        folder = path.parent / f"run/iter-{number:02d}"
        (folder / "gates.json").unlink()
        for name in ("done.json", "dataset/manifest.json"):
            content = read_json(folder / name)
            content.pop("broken", None), content.pop("judged_by", None)
            (folder / name).write_text(json.dumps(content))


def test_a_run_from_before_there_were_gates_goes_on(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model, iterations=2)
    with judges_trained(0.9, 0.95):
        run(path)
        before = report_of(path)
        forget_gates(path, (1, 2))
        run(path)
    assert report_of(path) == before


def test_a_run_from_before_there_were_gates_goes_on_where_a_judge_of_it_breaks_one(
    tiny_model, tmp_path
):
    path = config_of(tmp_path, tiny_model, iterations=2, gates={"accuracy_loss": None})
    with judges_trained(0.4, 0.95, 0.95):
        run(path)
        forget_gates(path, (1, 2))
        run(changed(path, gates={}, iterations=3))
    broken = [bool(row["broken"]) for row in report_of(path)["iterations"]]
    assert broken == [False, True, False, False]
    assert manifest(path, 3)["judged_by"]["iteration"] == 2


PLUGIN = (
    HOOKS
    + """
@hookimpl
def ste_gates(figures):
    BODY
"""
)


def with_plugin(path, body):
    (path.parent / "hooks.py").write_text(PLUGIN.replace("BODY", body))
    return path


def test_a_plugins_gate_breaks_with_its_sentence(tiny_model, tmp_path):
    body = (
        "n = figures.evaluations[figures.number]['dev']['n']; "
        "return [f'{n} pairs are not enough.'] if figures.number == 1 else []"
    )
    path = with_plugin(config_of(tmp_path, tiny_model, iterations=2), body)
    with judges_trained(0.9, 0.95):
        _, first, second = run(path)
    assert [words.partition(": ")[2] for words in first.broken] == [
        f"{first.evaluations['dev']['n']} pairs are not enough."
    ]
    assert not second.broken
    assert manifest(path, 2)["judged_by"]["iteration"] == 0


def test_a_plugins_gate_decides_on_a_finished_run_that_was_decided_without_it(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model, iterations=1)
    with judges_trained(0.9):
        assert not run(path)[1].broken
        with_plugin(path, "return ['never good enough.']")
        assert [words.partition(": ")[2] for words in run(path)[1].broken] == ["never good enough."]
        assert report_of(path)["best"] == 0
        with_plugin(path, "return []")  # the same file, and another rule in it
        assert not run(path)[1].broken
    assert report_of(path)["best"] == 1


def test_changed_gates_of_a_finished_run_measure_nothing_again(tiny_model, tmp_path, monkeypatch):
    path = config_of(tmp_path, tiny_model, iterations=1)
    with judges_trained("always A"):
        assert run(path)[1].broken
        monkeypatch.setattr(stages.lm_eval, "evaluate", None)
        assert not run(changed(path, gates=OFF))[1].broken
    assert read_json(tmp_path / "run/iter-01/done.json")["broken"] == []


def test_the_gate_of_the_documentation_decides_as_it_is_written(tiny_model, tmp_path):
    page = (Path(__file__).parents[2] / "docs/how-to/gates.md").read_text()
    path = config_of(tmp_path, tiny_model, iterations=1)
    (written,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "ties.py").write_text(written)
    changed(path, plugins=["hooks.py", "ties.py"])
    with judges_trained(0.9):
        assert not run(path)[1].broken
    assert "ties.py" in decision(path, 1)["plugins"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no such figure')", "ste_gates failed: ValueError"),
        ("return 'too long'", "ste_gates returned 'too long'; expected a list"),
        ("return [7]", "ste_gates returned a list with 7"),
    ],
)
def test_a_plugins_gate_that_fails_ends_the_run_naming_it(tiny_model, tmp_path, body, message):
    path = with_plugin(config_of(tmp_path, tiny_model, iterations=1), body)
    with judges_trained(0.9):
        with pytest.raises(PluginError, match=message):
            run(path)
        with_plugin(path, "return []")
        assert len(run(path)) == 2


def test_what_is_no_evaluation_of_the_run_cannot_hold_peoples_labels(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model, gates={"people": ["dev"]})
    with (
        open_run(path, [], quiet=True) as context,
        pytest.raises(ConfigError, match="gates.people: found 'dev'"),
    ):
        gating.check_people(context)
