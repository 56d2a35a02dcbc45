"""`ste new plugin`: a package with one of each hook, that fits as it is written."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from ste_plugin.errors import ConfigError
from ste_plugin.plugins.manager import NAMED_HOOKS, hook_descriptions
from ste_plugin.plugins.new_plugin import module_of, write_plugin
from tests.helpers.command import ste
from tests.helpers.installed import install

pytestmark = pytest.mark.usefixtures("warm_hosts")

NAME, MODULE = "judge-for-acme", "judge_for_acme"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    done = ste("new", "plugin", NAME, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"Wrote {NAME}. Install and test it: cd {NAME} && pip install" in done.stdout
    return folder / NAME


@pytest.fixture(scope="module")
def installed(written, tmp_path_factory):
    return install(written, tmp_path_factory.mktemp("installed"))


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_it_has_one_of_each_hook_and_its_readme_tells_of_each(written):
    assert functions(written / MODULE / "hooks.py") == set(hook_descriptions())
    readme = (written / "README.md").read_text()
    assert [hook for hook in hook_descriptions() if f"`{hook}`" not in readme] == []


def test_nothing_is_left_to_fill_in(written):
    files = [path for path in written.rglob("*") if path.is_file()]
    assert len(files) > 12
    for path in files:
        text = path.read_text().replace("${{ matrix.python }}", "")
        assert "{{" not in text and "{%" not in text, path
        assert path.suffix != ".jinja" and "{" not in path.name


def test_it_declares_its_entry_point_and_how_it_is_tested(written):
    project = tomllib.loads((written / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["ste"] == {NAME: f"{MODULE}.hooks"}
    workflow = yaml.safe_load((written / ".github/workflows/tests.yml").read_text())
    commands = [step.get("run") for step in workflow["jobs"]["tests"]["steps"]]
    assert "pytest" in commands


@pytest.mark.parametrize("name", [NAME, "a", "-".join(["long"] * 8)])
def test_its_code_is_as_the_linter_of_its_workflow_wants_it(tmp_path, name):
    write_plugin(name, tmp_path / "new")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=tmp_path / "new",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_ste_finds_each_of_its_parts(installed):
    found = json.loads(installed.ste("plugins", "--json"))[NAME]
    assert set(found) == set(hook_descriptions())
    assert [hook for hook in NAMED_HOOKS if not found[hook]] == []
    assert f"{MODULE}_pairs" in installed.ste("tasks", "list")
    assert f"{NAME}-lora" in installed.ste("recipes", "list")


@pytest.mark.slow
def test_its_own_tests_pass(installed):
    done = installed.python("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_its_config_goes_the_whole_way_in_a_preview(installed, tiny_model):
    config = installed.source / "ste.yaml"
    text = config.read_text().replace("HuggingFaceTB/SmolLM2-135M-Instruct", str(tiny_model))
    (installed.source / "tried.yaml").write_text(text)
    shown = installed.ste("preview", "tried.yaml")
    for words in (f"worse ({NAME}-cut-short): You ask: ", "right: It says more. Final verdict"):
        assert words in shown, shown


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Judge_For Acme", "Did you mean 'judge-for-acme'?"),
        ("", "found ''; expected lower-case words joined by -"),
        ("9lives", "found '9lives'"),
        ("judge--acme", "Did you mean 'judge-acme'?"),
        ("../acme", "Did you mean 'acme'?"),
        ("{{7*7}}", "found '{{7*7}}'"),
        ("x" * 41, "at most 40 characters"),
        ("ürteil", "found 'ürteil'"),
        ("class", "'class' is a word of Python itself; call it class-judge"),
        ("json", "'json' is a word of Python itself"),
        ("pytest", "a package 'pytest' is installed here already"),
        ("tests", "'tests' would hide what a plugin or ste-plugin itself imports; call it tests-"),
        ("lm-eval", "'lm-eval' would hide"),
        ("ste-plugin", "a package 'ste-plugin' is installed here already"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(name, told):
    with pytest.raises(ConfigError) as error:
        module_of(name)
    assert told in str(error.value)
    assert str(error.value).startswith("NAME: ")


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/notes.txt").write_text("keep")
    done = ste("new", "plugin", NAME, "--to", "ours", cwd=tmp_path)
    assert done.returncode == 2
    assert "ours: not empty (it holds notes.txt), and nothing is overwritten" in done.stderr
    done = ste("new", "plugin", NAME, "--to", "ours/notes.txt", cwd=tmp_path)
    assert "ours/notes.txt: a file; expected a folder, new or empty" in done.stderr
    done = ste("new", "plugin", NAME, "--to", "ours/notes.txt/new", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("ste: ours/notes.txt/new: cannot be written")
    assert [path.name for path in tmp_path.rglob("*")] == ["ours", "notes.txt"]


def test_an_empty_folder_deep_down_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    assert write_plugin(NAME, tmp_path / "empty")
    assert write_plugin(NAME, tmp_path / "a/b/c")


def test_without_copier_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(ConfigError, match=r"pip install 'ste-plugin\[new\]'"):
        write_plugin(NAME, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_it_is_written_where_there_is_no_git(tmp_path):
    done = ste("new", "plugin", NAME, cwd=tmp_path, PATH="")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / NAME / "pyproject.toml").exists()
