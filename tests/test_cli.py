"""The command: what it prints, and how it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from builders import config_text


def ste(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-m", "ste_plugin", *arguments]
    environment = os.environ | (env or {})
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=environment
    )


def write_run(
    folder: Path, instructions: str = '{"instruction": "Name a fruit."}\n', **more: str
) -> Path:
    (folder / "instructions.jsonl").write_text(instructions)
    path = folder / "ste.yaml"
    path.write_text(config_text(**more))
    return path


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"itterations": "2"}, 2, "did you mean 'iterations'"),
        ({"judging": "{format: breif}"}, 2, "Did you mean 'brief'"),
        ({"pairs": "{strategies: [worse]}"}, 2, "no 'worse'"),
        ({"judge": "{model: m, engine: htpp}"}, 2, "Did you mean 'http'"),
        ({"judge": "{model: m, options: {dtyp: float32}}"}, 2, "dtyp"),
        ({"judge": "{model: ./no/such/model}"}, 4, "no/such/model: cannot be loaded as a model"),
        ({"instructions": "[{path: none.jsonl}]"}, 3, "none.jsonl"),
        ({"plugins": "[none.py]"}, 6, "named on the command line"),
        ({"training": "{recipe: sft-lora-9b}", "judge": "{model: ./x}"}, 2, "sft-lora-8b"),
        ({"iterations": "2", "judge": "{model: m, engine: http, options: {base_url: 'http://127.0.0.1:9/v1'}}"}, 2, "goes on serving the seed"),
        ({"judge": "{model: m, engine: http, options: {base_url: 'http://127.0.0.1:9/v1', max_attempts: 1}}"}, 4, "127.0.0.1:9"),
        ({"hosts": "{train: {python: /no/such/python}}", "judge": "{model: ./x}"}, 5, "/no/such/python"),
    ],
)  # fmt: skip
def test_a_wrong_run_ends_with_a_message_an_exit_code_and_nothing_half_written(
    tmp_path, more, code, message
):
    path = write_run(tmp_path, **more)
    done = ste("run", str(path), cwd=tmp_path, env={"HF_HUB_OFFLINE": "1"})
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("run/iter-*")) and not list(tmp_path.glob("run/pool/pairs.jsonl"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"instruction": "x"}\n{"instruction": \n', "instructions.jsonl:2"),
        ('{"instruction": "x"}\n{"instruction": "  "}\n', "instructions.jsonl:2"),
        ('{"text": "x"}\n', "instructions.jsonl:1"),
        ("", "instructions.jsonl"),
    ],
)
def test_a_bad_line_of_instructions_is_named(tmp_path, content, message):
    path = write_run(tmp_path, content)
    done = ste("generate", str(path), cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert message in done.stderr


def test_init_writes_a_config_once(tmp_path):
    assert ste("init", cwd=tmp_path).returncode == 0
    again = ste("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_status_of_a_folder_that_is_no_run_says_so(tmp_path):
    done = ste("status", str(tmp_path), cwd=tmp_path)
    assert (done.returncode, "not a run's folder" in done.stderr) == (3, True)


def test_training_before_generating_says_what_to_run(tmp_path):
    done = ste("train", str(write_run(tmp_path)), cwd=tmp_path)
    assert done.returncode == 3
    assert "Run `ste generate` first" in done.stderr


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


def test_a_recipe_can_be_copied_but_overwrites_nothing(tmp_path):
    copied = ste("recipes", "copy", "sft-lora-8b", "mine.yaml", cwd=tmp_path)
    assert (tmp_path / "mine.yaml").read_text().startswith("# purpose:")
    assert copied.returncode == 0
    assert ste("recipes", "copy", "sft-lora-8b", "mine.yaml", cwd=tmp_path).returncode == 2


def test_plugins_shows_what_an_unpublished_file_contributes(tmp_path):
    from test_plugins import STRANGER

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
