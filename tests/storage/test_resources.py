"""Tasks are found by name; one that measures no judge is refused where it is named."""

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.storage.resources import find_task, shipped_folder


@pytest.mark.parametrize("where", ["--task", "evaluation.tasks"])
def test_the_task_that_measures_other_models_by_a_judge_is_refused_for_judges(where):
    folders = [shipped_folder("tasks")]
    with pytest.raises(ConfigError, match=f"^{where}: ste_judged measures a model's answers"):
        find_task("ste_judged", folders, where)
    assert find_task("ste_local", folders, where).folder == folders[0]
