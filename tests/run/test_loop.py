"""One complete loop: real engine, real axolotl, real lm-eval, on a tiny random Llama."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from ste_plugin.context import IterationReport
from ste_plugin.evaluation.report import verdict_on
from ste_plugin.run.loop import decide
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers.axolotl_runs import RECIPE
from tests.helpers.command import ste
from tests.helpers.fake_runs import HOOKS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]


PREFERENCES = (
    RECIPE
    + """\
rl: dpo
rl_beta: 0.1
dpo_loss_type: [sigmoid, sft]
dpo_loss_weights: [1.0, 1.5]
"""
)


@pytest.fixture(scope="module")
def finished(tiny_model, tmp_path_factory):
    """A run of two iterations of two stages each, finished."""
    folder = tmp_path_factory.mktemp("loop")
    (folder / "sft.yaml").write_text(RECIPE)
    (folder / "dpo.yaml").write_text(PREFERENCES)
    (folder / "hooks.py").write_text(HOOKS)
    rows = [{"instruction": f"Say the number {n} in words.", "id": n} for n in range(24)]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    config = {
        "run": "run",
        "iterations": 2,
        "judge": {"model": str(tiny_model)},
        # Random weights never end an answer, so the answers come from a function; judgments do not.
        "generator": {"model": "none", "engine": "fake"},
        "plugins": ["hooks.py"],
        "instructions": [{"path": "instructions.jsonl"}],
        "pairs": {
            "strategies": ["other-instruction", "modified-instruction-two-calls"],
            "max_new_tokens": 24,
        },
        # hot enough that most prompts get a correct and a wrong judgment, as preferences need both
        "judging": {
            "format": "brief",
            "samples": 3,
            "max_new_tokens": 12,
            "force_verdict": True,
            "temperature": 3.0,
        },
        "dataset": {"sequence_len": 1024, "dev_fraction": 0.2, "test_fraction": 0.2},
        "training": {"recipe": ["sft.yaml", "dpo.yaml"]},
        "evaluation": {"max_new_tokens": 8},
    }
    (folder / "ste.yaml").write_text(yaml.safe_dump(config))
    done = ste("run", "ste.yaml", "--plugin", "hooks.py", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout)


def test_the_loop_ends_with_a_report_on_seed_and_iterations(finished):
    folder, report = finished
    assert [r["number"] for r in report["iterations"]] == [0, 1, 2]
    assert (Path(report["model"]) / "config.json").exists()
    for row in report["iterations"]:
        assert set(row["evaluations"]) == {"dev", "test"}
        assert 0 <= row["evaluations"]["test"]["overall"]["acc_pc"] <= 1
    assert (folder / "run/iter-02/report.md").read_text().startswith("# Iteration 2")


def test_a_run_ends_with_whether_its_gain_is_more_than_noise_and_with_what_it_takes(finished):
    folder, report = finished
    shown = ste("run", "ste.yaml", "--plugin", "hooks.py", cwd=folder)
    lines = shown.stdout.splitlines()
    told = report["gain"]["evaluations"]["test"]["sentence"]
    assert f"On test, {told[0].lower()}{told[1:]}" in lines, shown.stderr
    compared = ste("compare", "run/iter-00", f"run/iter-{report['gain']['judge']:02d}", cwd=folder)
    figures = told.split("loses ")[1]
    assert figures in compared.stdout


def test_every_file_of_a_run_has_its_line_in_the_reference(finished):
    page = (Path(__file__).parents[2] / "docs/reference/files.md").read_text()
    names = re.search(r"```text\n(.*?)```", page, re.S)[1].split()
    run, of_hosts = finished[0] / "run", {"model", "lm-eval", "prepared"}
    for path in run.rglob("*"):
        parents = {p.name for p in path.relative_to(run).parents}
        if path.is_file() and not parents & of_hosts:
            assert any(fnmatch(path.name, name) for name in names), path


def test_training_and_evaluation_share_no_instruction(finished):
    folder, _ = finished
    held_out = {
        row["prompt"]
        for path in (folder / "run/pool").glob("*-*.jsonl")
        for _, row in read_rows(path)
    }
    assert held_out
    for path in (folder / "run").glob("iter-*/dataset/sft-train-*.jsonl"):
        prompts = [row["messages"][0]["content"] for _, row in read_rows(path)]
        assert not [p for p in prompts if any(f"\n{text}\n" in p for text in held_out)]


def test_training_rows_are_balanced_and_state_a_verdict(finished):
    folder, _ = finished
    for manifest in (folder / "run").glob("iter-*/dataset/manifest.json"):
        letters = read_json(manifest)["counts"]["letters"]["train"]
        assert letters["A"] == letters["B"] > 0
    for path in (folder / "run").glob("iter-*/**/dataset/[dkgs]*-train-*.jsonl"):
        prompts = {(row["pair"], row["better_is"]) for _, row in read_rows(path)}
        letters = [letter for _, letter in prompts]
        assert letters.count("A") == letters.count("B"), path
    for path in (folder / "run").glob("iter-*/dataset/sft-train-*.jsonl"):
        replies = [row["messages"][-1]["content"] for _, row in read_rows(path)]
        assert all(reply.endswith(("[[A]]", "[[B]]")) for reply in replies)


def test_every_training_prompt_is_word_for_word_an_evaluation_prompt_of_its_format(finished):
    from ste_plugin.judging.builtin import FORMATS

    folder, _ = finished
    rubric = FORMATS["brief"].rubric
    samples = list((folder / "run").glob("iter-01/eval/test/**/samples_*.jsonl"))
    assert samples
    assert all(rubric in json.dumps(row) for _, row in read_rows(samples[0]))


def test_the_second_iteration_judges_with_the_model_just_trained(finished):
    folder, _ = finished
    judges = [read_json(folder / f"run/iter-0{n}/dataset/manifest.json")["judge"] for n in (1, 2)]
    assert judges[0] != judges[1]


def test_a_later_stage_goes_on_from_the_stage_before_on_fresh_instructions(finished):
    folder, _ = finished
    first, second = (folder / "run/iter-01" / stage for stage in ("", "stage-02"))
    judges = [read_json(place / "dataset/manifest.json")["judge"] for place in (first, second)]
    assert judges[0] != judges[1]
    base = read_json(second / "model/trained.json")["base_model"]
    assert Path(base) == (first / "model/merged").resolve()
    learnt = [
        {
            row["instruction"]
            for p in place.glob(f"dataset/{name}-train-*")
            for _, row in read_rows(p)
        }
        for place, name in ((first, "sft"), (second, "dpo"))
    ]
    assert all(learnt)
    assert not learnt[0] & learnt[1]


def test_a_finished_run_has_nothing_left_to_do(finished):
    folder, report = finished
    before = {p: p.stat().st_mtime_ns for p in (folder / "run").rglob("*.completions.jsonl")}
    again = ste("run", "ste.yaml", "--plugin", "hooks.py", "--json", cwd=folder)
    assert json.loads(again.stdout) == report
    assert before == {
        p: p.stat().st_mtime_ns for p in (folder / "run").rglob("*.completions.jsonl")
    }


def test_a_resume_with_other_settings_is_refused_naming_them(finished):
    folder, _ = finished
    text = (folder / "ste.yaml").read_text().replace("samples: 3", "samples: 4")
    (folder / "other.yaml").write_text(text)
    done = ste("run", "other.yaml", "--plugin", "hooks.py", cwd=folder)
    assert done.returncode == 2
    assert "judging.samples: 3 → 4" in done.stderr
    assert "Traceback" not in done.stderr


def test_rows_in_another_judge_format_than_the_runs_are_not_trained_on(finished):
    folder, _ = finished
    path = folder / "run/iter-02/stage-02/dataset/manifest.json"
    before, trained = path.read_text(), path.parents[1] / "model/trained.json"
    path.write_text(before.replace('"version": "brief-', '"version": "brief-0'))
    command = ("train", "ste.yaml", "--plugin", "hooks.py", "--iteration", "2")
    assert ste(*command, cwd=folder).returncode == 0  # nothing is left to train
    trained.rename(folder / "aside.json")
    done = ste(*command, cwd=folder)
    path.write_text(before)
    (folder / "aside.json").rename(trained)
    assert done.returncode == 3
    assert "its prompts are in the format brief-0" in done.stderr


@pytest.mark.parametrize("named", ["run", "ste.yaml"])
def test_status_tells_that_all_is_done(finished, named):
    folder, _ = finished
    done = ste("status", named, "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert all(stage["done"] for stage in found["stages"])
    assert found["next"] == "nothing: the run is complete"


def test_a_training_of_no_step_is_not_told_as_done(finished):
    folder, _ = finished
    path = folder / "run/iter-02/stage-02/model/trained.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"steps": 0}))
    done = ste("status", "run", "--json", cwd=folder)
    path.write_text(before)
    stages = json.loads(done.stdout)["stages"]
    (undone,) = [stage["stage"] for stage in stages if not stage["done"]]
    assert undone.startswith("iteration 2") and undone.endswith("trained")


def test_a_trained_judge_can_be_asked(finished):
    folder, report = finished
    arguments = ["--format", "brief", "--instruction", "Q?", "--a", "x", "--b", "y", "--json"]
    done = ste("judge", report["model"], *arguments, cwd=folder)
    assert json.loads(done.stdout)["better"] in ("a", "b", "inconsistent", "no verdict")


def test_a_benchmark_named_later_is_measured_for_every_judge_and_nothing_is_done_again(finished):
    folder, _ = finished
    row = {
        "pair_id": "p0",
        "question": "Name a fruit.",
        "response_model": "gpt-4o",
        "label": "A>B",
        "response_A": "An apple.",
        "response_B": "A spade.",
    }
    (folder / "judgebench.jsonl").write_text(json.dumps(row) + "\n")
    text = (folder / "ste.yaml").read_text()
    config = yaml.safe_load(text)
    config["evaluation"] |= {"tasks": ["ste_judgebench"], "data": "."}
    (folder / "ste.yaml").write_text(yaml.safe_dump(config))
    trained = {p: p.stat().st_mtime_ns for p in (folder / "run").rglob("trained.json")}
    done = ste("run", "ste.yaml", "--plugin", "hooks.py", "--json", cwd=folder)
    (folder / "ste.yaml").write_text(text)
    assert done.returncode == 0, done.stderr[-3000:]
    measured = [r["evaluations"] for r in json.loads(done.stdout)["iterations"]]
    assert [found["ste_judgebench"]["n"] for found in measured] == [1, 1, 1]
    assert trained == {p: p.stat().st_mtime_ns for p in (folder / "run").rglob("trained.json")}
    lines = json.loads(ste("eval", "run", "--table", "--json", cwd=folder).stdout)
    assert {line["pairs"] for line in lines} == {"dev", "test", "ste_judgebench"}
    assert all(line["prompt tokens per 1,000"] > 0 for line in lines)


def report_with(number: int, acc_pc: float, acc: float = 0.5) -> IterationReport:
    overall = {"acc_pc": acc_pc, "acc": acc}
    return IterationReport(number, "", "", {"dev": {"overall": overall}}, 0, 0, 0, 0, None, 0.0)


@pytest.mark.parametrize(
    ("both_orders", "keep", "best"),
    [
        ((0.0, 0.5, 0.6), "best", 2),
        ((0.0, 0.6, 0.5), "best", 1),
        ((0.7, 0.6, 0.5), "best", 0),
        ((0.7, 0.6, 0.5), "last", 2),
        ((0.5, 0.5, 0.5), "best", 0),
    ],
)
def test_a_worse_iteration_is_never_shipped_as_the_best(both_orders, keep, best):
    reports = [report_with(n, value) for n, value in enumerate(both_orders)]
    assert decide(reports, keep) == best


def test_without_dev_pairs_the_last_iteration_is_shipped_and_said_to_be_the_last():
    def measured(number: int, *broken: str) -> IterationReport:
        figures = {"test": {"overall": {"acc_pc": 0.5}}}
        return IterationReport(number, "", "", figures, 0, 0, 0, 0, None, 0.0, broken=broken)

    two = [measured(0), measured(1)]
    assert decide(two, "best") == 1
    assert verdict_on(two, 1, "best") == (
        "No dev pairs to choose by: iteration 1 is shipped, the last."
    )
    three = [*two, measured(2, "position_bias: 0.4")]
    assert decide(three, "best") == 1
    assert verdict_on(three, 1, "best") == (
        "No dev pairs to choose by: iteration 1 is shipped, the last that broke no gate."
    )
