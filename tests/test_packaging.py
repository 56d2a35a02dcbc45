"""Wheel and editable install both find recipes and tasks; the README's commands exist."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def told_by(arguments: str, cwd: Path, **env: str) -> str:
    command = [sys.executable, "-m", "ste_plugin", *arguments.split()]
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_wheel_finds_its_own_recipes_and_tasks(unpacked_wheel, tmp_path):
    env = {"PYTHONPATH": str(unpacked_wheel)}
    path = Path(told_by("tasks path", tmp_path, **env).strip())
    assert path == unpacked_wheel / "ste_plugin" / "tasks"
    assert {p.name for p in path.iterdir()} >= {"utils.py", "ste_local.yaml"}
    assert told_by("recipes show sft-lora-8b", tmp_path, **env).startswith("# purpose:")


def test_a_wheel_carries_demo_data_types_and_licence(unpacked_wheel):
    package = unpacked_wheel / "ste_plugin"
    assert len((package / "demo/instructions.jsonl").read_text().splitlines()) >= 150
    assert (package / "demo/demo.yaml").exists()
    assert (package / "py.typed").exists()
    assert list(unpacked_wheel.glob("*.dist-info/licenses/LICENSE"))
    assert not list(unpacked_wheel.rglob("*.pyc"))


def test_an_editable_install_reads_the_checkouts_folders(tmp_path):
    assert Path(told_by("tasks path", tmp_path).strip()) == ROOT / "tasks"


def readme_commands() -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.S)
    lines = re.sub(r"\\\n\s*", "", "\n".join(blocks)).splitlines()
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


@pytest.mark.parametrize("words", [w for w in readme_commands() if w[0] == "ste"], ids=" ".join)
def test_every_ste_command_in_the_readme_exists_with_its_options(words):
    import typer

    from ste_plugin.cli import about, comparing, fitting, measuring, running  # noqa: F401
    from ste_plugin.cli.app import app

    command = typer.main.get_command(app)
    depth = 1
    while hasattr(command, "commands"):
        command = command.commands[words[depth]]
        depth += 1
    known = {option for parameter in command.params for option in parameter.opts}
    used = {word for word in words[depth:] if word.startswith("--")}
    assert used <= known


@pytest.mark.parametrize("words", [w for w in readme_commands() if w[0] == "make"], ids=" ".join)
def test_every_make_target_in_the_readme_exists(words):
    assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M)


def test_the_readme_names_every_recipe_extra_and_exit_code():
    import tomllib

    from ste_plugin import errors

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = set(re.search(r"ste-plugin\[(.*?)\]", README)[1].split(","))
    assert asked <= set(project["optional-dependencies"])
    codes = {
        e.exit_code
        for e in vars(errors).values()
        if isinstance(e, type) and e.__module__ == errors.__name__
    } - {1}
    sentence = re.search(r"Exit codes: (.*)\n", README)[1]
    assert {int(n) for n in re.findall(r"\b\d\b", sentence)} == codes


def test_the_hooks_file_in_the_readme_is_a_plugin(tmp_path):
    from ste_plugin.plugins.manager import plugin_manager

    code = re.search(r"```python\n(.*?)```", README, re.S)[1]
    (tmp_path / "hooks.py").write_text(code)
    names = [name for name, _ in plugin_manager([tmp_path / "hooks.py"]).list_name_plugin()]
    assert str(tmp_path / "hooks.py") in names
