"""Recipes: found by name, and taken by axolotl's own schema as they are."""

from pathlib import Path

import pytest

from ste_plugin.axolotl.run_config import read_recipe
from ste_plugin.errors import ConfigError, HostError
from ste_plugin.fitting.catalogue import (
    cluster_files,
    cluster_names,
    find_recipe,
    list_recipes,
    recipe_problems,
    refusal,
)
from ste_plugin.storage.resources import shipped_folder

pytestmark = pytest.mark.usefixtures("warm_hosts")

SHIPPED = shipped_folder("recipes")
FOR_RAY = SHIPPED / "clusters/ray/train.yaml"
TYPO = """\
base_model: some/model
datasets:
  - {path: my/rows, type: chat_template, field_mesages: turns}
learning_rat: 0.1
micro_batch_size: 1
gradient_accumulation_steps: 1
num_epochs: 1
learning_rate: 0.1
"""


def recipe(folder: Path, name: str, text: str = "# purpose: none\nbase_model: m\n") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)
    return folder / f"{name}.yaml"


@pytest.mark.slow
def test_axolotl_takes_every_shipped_recipe_as_it_is():
    paths = [path for _, _, path in list_recipes([SHIPPED])]
    paths.append(FOR_RAY)
    assert len(paths) >= 5
    assert recipe_problems(paths) == {path: [] for path in paths}


@pytest.mark.slow
def test_a_key_that_axolotl_would_drop_silently_is_named_with_the_right_one(tmp_path):
    path = recipe(tmp_path, "typo", TYPO)
    told = refusal(path, recipe_problems([path])[path])
    assert f"{path}: axolotl would not train this recipe" in told
    assert "learning_rat: axolotl has no such key" in told
    assert "did you mean 'learning_rate'" in told
    assert "datasets[0].field_mesages" in told


@pytest.mark.slow
def test_a_value_that_axolotl_refuses_is_told_in_its_own_words(tmp_path):
    both = TYPO.replace("learning_rat: 0.1", "rl: dpo\nsample_packing: true")
    bad = recipe(tmp_path, "packed", both)
    absent = recipe(tmp_path, "plugged", TYPO + "plugins: [no_such_module.Plugin]\n")
    problems = recipe_problems([bad, absent])
    assert any("sample_packing" in problem for problem in problems[bad])
    (problem,) = [problem for problem in problems[absent] if "no_such_module" in problem]
    assert "cannot be imported" in problem
    assert any("learning_rat: axolotl has no such key" in problem for problem in problems[absent])


def test_the_recipe_for_ray_is_a_recipe_for_one_gpu_on_several():
    of_one, of_ray = read_recipe(SHIPPED / "sft-lora-8b.yaml"), read_recipe(FOR_RAY)
    workers = {"use_ray": True, "ray_num_workers": 16, "resources_per_worker": {"GPU": 1}}
    batch = of_ray["ray_num_workers"] * of_ray["gradient_accumulation_steps"]
    assert batch == of_one["gradient_accumulation_steps"]
    assert of_ray == of_one | workers | {"gradient_accumulation_steps": 1}


def test_every_recipe_warms_up_for_a_share_of_its_steps_however_few_there_are():
    """100 steps were never over in a first run of 50."""
    paths = [*(path for _, _, path in list_recipes([SHIPPED])), FOR_RAY]
    for recipe in map(read_recipe, paths):
        assert "warmup_steps" not in recipe and recipe["warmup_ratio"] == 0.1


def test_files_of_a_cluster_are_found_by_its_name_and_are_no_recipes():
    assert {path.name for path in cluster_files("slurm", [SHIPPED])} == {"ste.yaml", "run.sbatch"}
    assert cluster_names([SHIPPED]) == ["ray", "slurm"]
    assert all(cluster_files(name, [SHIPPED]) for name in cluster_names([SHIPPED]))
    assert not cluster_files("..", [SHIPPED])
    assert not cluster_files("sft-lora-8b", [SHIPPED])
    assert "ste" not in {name for name, _, _ in list_recipes([SHIPPED])}


def test_a_recipe_is_checked_only_where_axolotl_is(tmp_path):
    with pytest.raises(HostError, match="pip install"):
        recipe_problems([recipe(tmp_path, "any")], "/no/such/python")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_recipe_is_headed_by_purpose_command_needs_and_source(path):
    heads = [line.partition(":")[0] for line in path.read_text().splitlines()[:4]]
    assert heads == ["# purpose", "# command", "# needs", "# source"]
    assert f"axolotl train {path.name}" in path.read_text()


def test_recipes_are_listed_with_their_purposes(tmp_path):
    path = recipe(tmp_path, "mine", "# purpose: to try\n")
    assert list_recipes([tmp_path]) == [("mine", "to try", path)]


def test_a_recipe_is_found_by_name_and_by_path(tmp_path):
    path = recipe(tmp_path, "mine")
    assert find_recipe("mine", [tmp_path]) == path
    assert find_recipe("mine.yaml", [tmp_path]) == path
    assert find_recipe(str(path), []) == path


def test_an_unknown_recipe_is_answered_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'sft-lora-8b'"):
        find_recipe("sft-lora-9b", [SHIPPED])


def test_two_recipes_of_one_name_are_both_named(tmp_path):
    ours, theirs = recipe(tmp_path / "a", "judge"), recipe(tmp_path / "b", "judge")
    with pytest.raises(ConfigError) as clash:
        list_recipes([tmp_path / "a", tmp_path / "b"])
    assert str(ours) in str(clash.value)
    assert str(theirs) in str(clash.value)
