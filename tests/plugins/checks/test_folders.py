"""Folders of recipes and tasks, as axolotl and lm-eval read them."""

from pathlib import Path

import pytest

from ste_plugin.testing import check_plugin
from tests.helpers import ROOT
from tests.helpers.plugin_files import plugin_file

RECIPE = ROOT / "recipes/demo-smollm2-cpu-lora.yaml"
HOOK = """
from pathlib import Path

@hookimpl
def {}():
    return {}
"""


def problems_of(tmp_path: Path, hook: str, files: dict[str, str]) -> list[str]:
    folder = tmp_path / "files"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return check_plugin(plugin_file(tmp_path, HOOK.format(hook, "Path(__file__).parent / 'files'")))


@pytest.mark.parametrize("hook", ["ste_recipe_dirs", "ste_task_dirs"])
@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ("'files'", "it returned 'files'; expected a Path"),
        ("[Path(__file__).parent]", "expected a Path"),
        ("Path(__file__).parent / 'gone'", "gone is no folder. Is it inside the package"),
        ("Path(__file__).parent", "holds no file *.yaml"),
    ],
)
def test_a_hook_without_a_folder_of_files_is_told_so(tmp_path, hook, returned, told):
    (problem,) = check_plugin(plugin_file(tmp_path, HOOK.format(hook, returned)))
    assert problem.startswith(f"{hook}: ")
    assert told in problem


def test_a_recipe_with_a_key_that_axolotl_does_not_know_is_told(tmp_path):
    pytest.importorskip("axolotl")
    text = RECIPE.read_text().replace("learning_rate:", "learning_rat:")
    problems = problems_of(tmp_path, "ste_recipe_dirs", {"mine.yaml": text})
    assert problems[0].startswith("ste_recipe_dirs: mine.yaml: ")
    assert "learning_rat: axolotl has no such key and would ignore it; did you" in problems[0]


def test_a_recipe_of_a_name_that_is_taken_or_without_a_purpose_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("ste_plugin.plugins.checks.folders.find_spec", lambda _: None)
    text = RECIPE.read_text().replace("# purpose:", "# use:")
    with pytest.warns(UserWarning, match="axolotl is not installed here: recipes' keys are not"):
        problems = problems_of(tmp_path, "ste_recipe_dirs", {RECIPE.name: text})
    assert [p.partition(RECIPE.name)[2][:40] for p in problems] == [
        ": a recipe of that name is in " + str(RECIPE.parent)[:10],
        ": no line `# purpose: …`, which `ste rec",
    ]


TASK = "task: mine\nclass: !function utils.Mine\n"


def test_tasks_that_lm_eval_does_not_load_are_told(tmp_path):
    pytest.importorskip("lm_eval")
    files = {
        "mine.yaml": TASK,  # a function in a file that is not there
        "typed.yaml": "task: typed\ndataset_path: json\noutput_typ: generate_until\n",
        "ours.yaml": "task: ours\nclass: !function ours.PairJudge\n"
        "metadata: {judge_benchmark: local}\n",  # it lacks its data alone
        "ours.py": "from ste_plugin.lm_eval_tasks.task import PairJudge\n",
    }
    problems = problems_of(tmp_path, "ste_task_dirs", files)
    assert [p.split(": ")[1] for p in problems] == ["mine", "typed"], problems
    assert "utils" in problems[0]
    assert "output_typ" in problems[1]


def test_a_task_that_is_there_already_or_has_no_name_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("ste_plugin.plugins.checks.folders.find_spec", lambda _: None)
    with pytest.warns(UserWarning, match="lm_eval is not installed here: tasks are not checked"):
        problems = problems_of(tmp_path, "ste_task_dirs", {"a.yaml": "task: ste_local\n"})
    assert problems == ["ste_task_dirs: a task 'ste_local' is there already. Rename yours."]
    (problem,) = problems_of(tmp_path, "ste_task_dirs", {"a.yaml": "dataset_path: json\n"})
    assert problem.endswith("has a `task` or a `group`, so that lm-eval finds none.")
