"""The command: what it prints; how it fails is in tests/bad_input/catalogue."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ste_plugin.axolotl.launcher import train_command
from ste_plugin.storage.config_file import read_config
from tests.helpers.builders import config_text
from tests.helpers.command import ste

pytestmark = pytest.mark.usefixtures("warm_hosts")


def write_run(
    folder: Path, instructions: str = '{"instruction": "Name a fruit."}\n', **more: str
) -> Path:
    (folder / "instructions.jsonl").write_text(instructions)
    path = folder / "ste.yaml"
    path.write_text(config_text(**more))
    return path


def test_init_writes_a_config_below_folders_that_are_not_there(tmp_path):
    assert ste("init", "mine/ste.yaml", cwd=tmp_path).returncode == 0
    assert "recipe: sft-lora-8b" in (tmp_path / "mine/ste.yaml").read_text()


def test_two_processes_cannot_work_on_one_run(tmp_path):
    from filelock import FileLock

    path = write_run(tmp_path)
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run/run.lock"):
        done = ste("run", str(path), cwd=tmp_path)
    assert done.returncode == 2
    assert "another ste process" in done.stderr


def test_what_nothing_depends_on_may_change_on_resume_and_the_rest_may_not(tmp_path):
    silent = (
        "{model: m, engine: http, options: {base_url: 'http://127.0.0.1:9/v1', max_attempts: 1}}"
    )
    path = write_run(tmp_path, judge=silent)
    (tmp_path / "run").mkdir()  # or nothing would be left of a run that got no answer
    assert ste("generate", str(path), cwd=tmp_path).returncode == 4
    write_run(tmp_path, judge=silent.replace(":9/", ":8/"))
    moved = ste("generate", str(path), cwd=tmp_path)
    assert (moved.returncode, "127.0.0.1:8" in moved.stderr) == (4, True)
    write_run(tmp_path, judge=silent.replace("model: m", "model: n"))
    changed = ste("generate", str(path), cwd=tmp_path)
    assert (changed.returncode, "judge.model: 'm' → 'n'" in changed.stderr) == (2, True)


def test_a_key_written_into_the_config_by_mistake_reaches_no_file_of_the_run(tmp_path):
    options = "{base_url: 'http://127.0.0.1:9/v1', api_key: sk-canary}"
    path = write_run(tmp_path, judge=f"{{model: m, engine: http, options: {options}}}")
    done = ste("run", str(path), cwd=tmp_path)
    assert done.returncode == 2
    assert "sk-canary" not in done.stderr + done.stdout
    assert not (tmp_path / "run").exists()


def test_recipes_and_tasks_are_listed_for_people_and_scripts(tmp_path):
    recipes = json.loads(ste("recipes", "list", "--json", cwd=tmp_path).stdout)
    assert {"demo-smollm2-cpu-lora", "sft-lora-8b", "sft-full-8b"} <= {r["name"] for r in recipes}
    assert ste("recipes", "show", "sft-lora-8b", cwd=tmp_path).stdout.startswith("# purpose:")
    assert "ste_local" in json.loads(ste("tasks", "list", "--json", cwd=tmp_path).stdout)
    assert (Path(ste("tasks", "path", cwd=tmp_path).stdout.strip()) / "utils.py").exists()


def test_a_recipe_is_copied_below_folders_that_are_not_there(tmp_path):
    copied = ste("recipes", "copy", "sft-lora-8b", "mine/sft.yaml", cwd=tmp_path)
    assert (tmp_path / "mine/sft.yaml").read_text().startswith("# purpose:")
    assert copied.returncode == 0


@pytest.mark.parametrize("cluster", ["slurm", "ray"])
def test_files_of_a_cluster_are_copied_and_right(tmp_path, monkeypatch, cluster):
    assert ste("recipes", "copy", cluster, "here", cwd=tmp_path).returncode == 0
    config = read_config(tmp_path / "here/ste.yaml")
    for variable in ("SLURM_JOB_NUM_NODES", "STE_FIRST_NODE"):
        monkeypatch.setenv(variable, "2")
    command = train_command(config.hosts.train, Path("axolotl.yaml"))
    assert command[0] == ("srun" if cluster == "slurm" else config.hosts.train.python)
    scripts = [f for f in (tmp_path / "here").iterdir() if f.suffix != ".yaml"]
    assert len(scripts) == 1
    assert subprocess.run(["bash", "-n", *scripts], check=True).returncode == 0
    again = ste("recipes", "copy", cluster, "here", cwd=tmp_path)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


def test_the_help_of_a_command_says_what_its_arguments_are(tmp_path):
    assert "The run's folder, or its YAML." in ste("status", "--help", cwd=tmp_path).stdout


def test_plugins_shows_what_an_unpublished_file_contributes(tmp_path):
    from tests.helpers.builders import STRANGER

    (tmp_path / "hooks.py").write_text(STRANGER)
    found = json.loads(ste("plugins", "--plugin", "hooks.py", "--json", cwd=tmp_path).stdout)
    assert found["hooks.py"]["ste_judge_formats"] == ["terse"]


def test_doctor_names_each_problem_with_its_cure(tmp_path):
    nowhere = "{python: /no/such/python}"
    path = write_run(tmp_path, hosts=f"{{train: {nowhere}, serve: {nowhere}}}")
    done = ste("doctor", str(path), "--json", cwd=tmp_path)
    found = {f["what"]: f for f in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["lm-eval"]["ok"]
    assert not found["axolotl"]["ok"]
    assert "pip install" in found["axolotl"]["cure"]
    assert "/no/such/python" in found["vLLM for serving"]["found"]


def test_a_run_that_serves_looks_for_vllm_before_it_asks_anything(tmp_path):
    path = write_run(
        tmp_path,
        judge="{model: some/judge, engine: serve}",
        hosts=f"{{serve: {{python: {sys.executable}}}}}",
    )
    done = ste("run", str(path), cwd=tmp_path)
    assert "vllm is not installed in its environment" in done.stderr
    assert not list(tmp_path.glob("run/pool/*"))


SWALLOWS = """
import os, signal, time

try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
except BaseException:
    raise ImportError("initialization failed")
"""


def test_a_signal_amid_an_import_that_turns_it_into_an_error_ends_the_command_as_any_other(
    tmp_path,
):
    (tmp_path / "hooks.py").write_text(SWALLOWS)
    done = ste("plugins", "--plugin", "hooks.py", cwd=tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr.endswith("Run the same command again to resume: what is done is kept.\n")
