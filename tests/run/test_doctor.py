"""What `ste doctor` says of an installation, and in its last line what to do first."""

import json
import os
import struct
import subprocess
import sys
import tomllib

import pytest

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.run import doctor_training
from ste_plugin.run.doctor import conclude
from ste_plugin.run.doctor_training import check_recipes
from ste_plugin.run.finding import CheckResult
from ste_plugin.storage.resources import shipped_folder
from tests.helpers import ROOT, environment
from tests.helpers.builders import config, config_text
from tests.helpers.packed_files import PACKERS, json_lines, lay_out

pytestmark = pytest.mark.usefixtures("warm_hosts")

WELL = CheckResult("Python", "3.12.1", True)
HINT = CheckResult("ste on PATH", "not found", True, "add /opt/bin to PATH")
TORCH = CheckResult("torch", "not installed", False, "pip install 'ste-plugin[local]'")
AXOLOTL = CheckResult("axolotl", "not installed", False, "pip install 'ste-plugin[train]'")


def doctor(*arguments, cwd, path=os.environ["PATH"]):
    command = [sys.executable, "-m", "ste_plugin", "doctor", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(PATH=path), capture_output=True, text=True, check=False
    )


def model_in(folder):
    """What looks like a model, as long as nobody loads it."""
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    header = json.dumps({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    return folder


def python_with(folder, module, version):
    """An interpreter whose environment has one module, an empty one."""
    (folder / "site" / module).mkdir(parents=True)
    (folder / "site" / module / "__init__.py").touch()
    told = folder / "site" / f"{module}-{version}.dist-info" / "METADATA"
    told.parent.mkdir()
    told.write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n")
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={folder}/site exec {sys.executable} -S "$@"\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("findings", [[WELL], [WELL, HINT]])
def test_without_a_problem_it_is_ready(findings):
    assert conclude(findings) == "Ready."


def test_the_first_problem_is_what_to_do_first():
    told = conclude([WELL, HINT, TORCH, AXOLOTL])
    assert told == "Not ready. First, torch: pip install 'ste-plugin[local]'"


@pytest.mark.parametrize(("finding", "label"), [(WELL, "ok"), (HINT, "hint"), (TORCH, "PROBLEM")])
def test_a_finding_is_marked_by_whether_something_does_not_work(finding, label):
    assert finding.label == label


def test_a_command_that_is_not_on_path_is_a_hint_and_no_problem(tmp_path):
    done = doctor(cwd=tmp_path, path=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "   hint  ste on PATH: not found\n         → add " in done.stdout
    assert "PROBLEM" not in done.stdout
    assert done.stdout.endswith("\nReady.\n")


def test_with_a_problem_the_last_line_is_its_cure(tmp_path):
    settings = {
        "training": "{recipe: demo-smollm2-cpu-lora}",
        "judge": f"{{model: {model_in(tmp_path / 'judge')}}}",
    }
    config = config_text(hosts="{eval: {python: /no/such/python}}", **settings)
    (tmp_path / "ste.yaml").write_text(config)
    (tmp_path / "instructions.jsonl").touch()
    done = doctor("ste.yaml", cwd=tmp_path)
    assert done.returncode == 1
    *_, cure, last = done.stdout.splitlines()
    assert cure == "         → pip install '/path/to/ste-plugin[eval]'"
    assert last == "Not ready. First, lm-eval: pip install '/path/to/ste-plugin[eval]'"


def test_a_run_whose_instructions_are_not_there_is_not_ready(tmp_path):
    (tmp_path / "ste.yaml").write_text(config_text())
    done = doctor("ste.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path / 'instructions.jsonl'}: no such file" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Not ready. First, instructions: write your")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"pairs": "{strategies: [other-instructio]}"}, "Did you mean 'other-instruction'?"),
        ({"audit": "{probes: [worse paded]}"}, "Did you mean 'worse padded'?"),
        ({"evaluation": "{backend: desisions}"}, "Did you mean 'decisions'?"),
        ({"evaluation": "{backend: decisions}"}, "decisions asks a server, and none is named"),
        (
            {"judge": "{model: m, engine: decisions, options: {base_url: 'http://h:1/v1'}}"},
            "generator: pairs.strategies take answers that a model writes",
        ),
        (
            {"judging": "{format: decision}", "dataset": "{verdict_share: 0.5}"},
            "dataset.verdict_share: found 0.5",
        ),
    ],
)
def test_what_a_run_would_refuse_in_its_settings_is_told_before_it(tmp_path, settings, found):
    judge = {"judge": f"{{model: {model_in(tmp_path / 'judge')}}}"}
    (tmp_path / "ste.yaml").write_text(config_text(**judge | settings))
    (tmp_path / "instructions.jsonl").write_bytes(json_lines({"instruction": "Name a fruit."}))
    done = doctor("ste.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert found in " ".join(done.stdout.split())
    assert done.stdout.splitlines()[-1].startswith("Not ready. First, settings: correct ")


def test_labelled_pairs_that_are_not_there_are_a_problem(tmp_path):
    (tmp_path / "ste.yaml").write_text(config_text(evaluation="{pairs: {mine: labelled.jsonl}}"))
    done = doctor("ste.yaml", cwd=tmp_path)
    assert f"PROBLEM  settings: {tmp_path / 'labelled.jsonl'}: no such file" in done.stdout


def test_an_lm_eval_without_our_plugin_beside_it_is_a_problem(tmp_path):
    python = python_with(tmp_path, "lm_eval", "0.4.13")
    (tmp_path / "ste.yaml").write_text(config_text(hosts=f"{{eval: {{python: {python}}}}}"))
    done = doctor("ste.yaml", cwd=tmp_path)
    assert f"ok  lm-eval: 0.4.13 in {python}\n" in done.stdout
    assert f"PROBLEM  our plugin beside lm-eval: {python}: ste_plugin is not" in done.stdout
    assert done.stdout.count("ste_plugin is not installed") == 1


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("0.4.2", "PROBLEM  lm-eval: {python}: found lm_eval 0.4.2; expected 0.4.11 or newer."),
        ("0.4.11", "ok  lm-eval: 0.4.11 in {python}\n"),
        ("0.5.0.dev1", "hint  lm-eval: 0.5.0.dev1 in {python}\n         → newer than what was tri"),
    ],
)
def test_a_program_older_than_what_was_tried_is_a_problem_and_a_newer_one_a_hint(
    tmp_path, version, told
):
    python = python_with(tmp_path, "lm_eval", version)
    (tmp_path / "ste.yaml").write_text(config_text(hosts=f"{{eval: {{python: {python}}}}}"))
    assert told.format(python=python) in doctor("ste.yaml", cwd=tmp_path).stdout


def test_the_versions_that_were_tried_are_those_of_the_extras():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert extras["train"] == [f"axolotl{axolotl.VERSIONS}"]
    assert extras["eval"] == [f"lm-eval[hf,api]{lm_eval.VERSIONS}"]


def test_a_model_of_the_hub_that_was_not_downloaded_is_a_problem_where_the_hub_is_off(tmp_path):
    (tmp_path / "ste.yaml").write_text(config_text())
    done = doctor("ste.yaml", cwd=tmp_path)
    assert "PROBLEM  judge: some/judge: no such folder, and not among the models" in done.stdout
    assert "hf download some/judge" in done.stdout


def test_what_is_to_be_kept_out_is_looked_up_before_a_run(tmp_path):
    names = "[ste_rewardbench, people.jsonl, ste_llmbr]"
    (tmp_path / "ste.yaml").write_text(config_text(selection=f"{{keep_out: {names}}}"))
    (tmp_path / "instructions.jsonl").write_bytes(json_lines({"instruction": "Name a fruit."}))
    (tmp_path / "people.jsonl").write_bytes(json_lines({"prompt": "Name a tree."}))
    done = doctor("ste.yaml", cwd=tmp_path)
    assert "ok  kept out: ste_rewardbench, from the hub" in done.stdout
    assert "ok  kept out: people.jsonl, 1 prompts" in done.stdout
    assert "Did you mean 'ste_llmbar'?" in " ".join(done.stdout.split())
    assert done.stdout.splitlines()[-1] == (
        "Not ready. First, kept out: correct selection.keep_out"
    )


def test_instructions_in_several_files_are_counted_and_a_broken_one_named(tmp_path):
    (tmp_path / "ste.yaml").write_text(config_text(instructions="[{path: data}]"))
    row = json_lines({"instruction": "Name a fruit."})
    lay_out(tmp_path / "data", {f"part-{n}.jsonl.gz": PACKERS[".gz"](row) for n in range(11)})
    done = doctor("ste.yaml", cwd=tmp_path)
    first, last = (tmp_path / "data" / f"part-{n}.jsonl.gz" for n in (0, 10))
    assert f"ok  instructions: 11 files, {first} to {last}, 0.0 MB" in done.stdout
    (tmp_path / "data" / "part-7.jsonl.gz").write_text("<html>")
    done = doctor("ste.yaml", cwd=tmp_path)
    assert "part-7.jsonl.gz: cannot be unpacked: expected gzip, as its name says" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Not ready. First, instructions: see the words")


def test_a_judge_that_is_nowhere_is_a_problem(tmp_path):
    judge = "{model: ./models/judge, engine: ray, options: {engine: local}}"
    (tmp_path / "ste.yaml").write_text(config_text(judge=judge))
    done = doctor("ste.yaml", cwd=tmp_path)
    assert "PROBLEM  judge: ./models/judge: cannot be loaded as a model: no such" in done.stdout
    assert done.returncode == 1


def test_a_weaker_model_that_is_nowhere_is_a_problem(tmp_path):
    pairs = "{strategies: [stronger-vs-weaker], weaker: {model: ./models/weak, engine: local}}"
    (tmp_path / "ste.yaml").write_text(config_text(pairs=pairs))
    done = doctor("ste.yaml", cwd=tmp_path)
    assert "PROBLEM  pairs.weaker: ./models/weak: cannot be loaded as a model" in done.stdout


@pytest.mark.slow
def test_what_axolotl_s_schema_refuses_in_a_recipe_is_told_before_a_token_is_paid_for(tmp_path):
    (tmp_path / "ste.yaml").write_text(config_text(training="{recipe: mine.yaml}"))
    (tmp_path / "instructions.jsonl").write_bytes(json_lines({"instruction": "Name a fruit."}))
    shipped = (shipped_folder("recipes") / "sft-lora-8b.yaml").read_text()
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(shipped + "\ndataset_processes: several\n")
    done = doctor("ste.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert f"PROBLEM  {recipe}: axolotl refuses: " in done.stdout
    assert "axolotl refuses: dataset_processes: Input should be a valid integer" in done.stdout
    recipe.write_text(shipped)
    assert (
        f"ok  {recipe}: axolotl and our plugin would train it"
        in doctor("ste.yaml", cwd=tmp_path).stdout
    )


def test_nodes_that_would_not_meet_are_a_problem(tmp_path):
    nodes = "{train: {launcher: torchrun, launcher_args: [--nnodes, 2]}}"
    (tmp_path / "ste.yaml").write_text(config_text(hosts=nodes))
    (tmp_path / "instructions.jsonl").touch()
    done = doctor("ste.yaml", cwd=tmp_path)
    assert "PROBLEM  launcher of trainings: hosts.train.launcher_args: 2 nodes" in done.stdout
    assert done.returncode == 1


def test_scripts_get_the_findings_alone(tmp_path):
    found = json.loads(doctor("--json", cwd=tmp_path, path=str(tmp_path)).stdout)
    (on_path,) = [finding for finding in found if finding["what"] == "ste on PATH"]
    assert (on_path["ok"], on_path["found"]) == (True, "not found")


def test_a_recipe_for_judges_of_letters_beside_a_format_with_reasons_is_a_problem(tmp_path):
    settings = {"training": "{recipe: decision-lora-8b}", "judging": "{format: brief}"}
    (tmp_path / "ste.yaml").write_text(config_text(**settings))
    (tmp_path / "instructions.jsonl").touch()
    done = doctor("ste.yaml", cwd=tmp_path)
    assert "PROBLEM  settings: training.recipe: decision-lora-8b trains a judge" in done.stdout
    (tmp_path / "ste.yaml").write_text(config_text(**settings | {"judging": "{format: decision}"}))
    assert "training.recipe" not in doctor("ste.yaml", cwd=tmp_path).stdout


def without_gpu_tools(folder):
    """A PATH on which nothing says what GPUs there are."""
    (folder / "bin").mkdir()
    return str(folder / "bin")


@pytest.mark.parametrize(
    ("recipe", "needs"),
    [
        ("sft-lora-8b", "sft-lora-8b needs one GPU of"),
        ("mine.yaml", "mine needs one (bf16: true)"),
        ("demo-smollm2-cpu-lora", ""),
    ],
)
def test_a_recipe_for_a_gpu_is_not_ready_where_there_is_none(tmp_path, monkeypatch, recipe, needs):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PATH", without_gpu_tools(tmp_path))
    (tmp_path / "mine.yaml").write_text("base_model: m\nbf16: true\n")
    run = config(tmp_path, training=f"{{recipe: {recipe}}}")
    monkeypatch.setattr(doctor_training, "recipe_problems", lambda *_: {})
    found = [f for f in check_recipes(tmp_path / "ste.yaml", run, []) if f.what == "GPU"]
    assert [f.ok for f in found] == ([False] if needs else [])
    assert all(needs in f.found and "none here" in f.found for f in found)
    if needs:
        assert conclude(found) == (
            "Not ready. First, GPU: train where one is, or by a recipe for CPUs (ste recipes list)"
        )


def test_a_training_that_is_started_elsewhere_needs_no_gpu_here(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_training, "has_gpu", lambda _: False)
    settings = {"hosts": "{train: {wrapper: [srun]}}"}
    assert check_recipes(tmp_path / "ste.yaml", config(tmp_path, **settings), []) == []
    (found,) = check_recipes(tmp_path / "ste.yaml", config(tmp_path), [])
    assert found.what == "GPU"
