"""Where recipes and tasks are: beside the package in a source checkout, inside it in a wheel."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ste_plugin.errors import ConfigError, did_you_mean
from ste_plugin.text import safe_yaml

PACKAGE = Path(__file__).parents[1]


def shipped_folder(folder: str) -> Path:
    """Return the `recipes` or `tasks` folder that ships with this installation."""
    inside = PACKAGE / folder
    return inside if inside.is_dir() else PACKAGE.parent / folder


_OF_POLICIES = "JudgedTask"
"""The class of tasks in which a judge measures other models."""


class _TaskLoader(yaml.SafeLoader):
    """Reads lm-eval's YAML without running the functions that `!function` names."""


_TaskLoader.add_constructor("!function", lambda _, node: str(node.value))


class TaskFile(NamedTuple):
    """Where an lm-eval task is defined."""

    folder: Path
    """For `lm_eval --include_path`."""
    metadata: dict[str, Any]
    """Its own settings, which win over the environment."""


def task_names(folders: Iterable[Path]) -> list[str]:
    """Return the lm-eval tasks and groups that the folders define, sorted."""
    tasks = [task for folder in folders for task in _tasks(folder)]
    return sorted(
        {t[key] for t in tasks for key in ("task", "group") if isinstance(t.get(key), str)}
    )


def find_task(name: str, folders: Iterable[Path], where: str = "--task") -> TaskFile:
    """Return the task of that name.

    Raises: ConfigError where no folder defines it, naming the known tasks and `where` it was set,
    and for one that measures no judges.
    """
    folders = list(folders)
    for folder in folders:
        for task in _tasks(folder):
            if task.get("task") == name:
                if str(task.get("class", "")).endswith(_OF_POLICIES):
                    raise ConfigError(
                        f"{where}: {name} measures a model's answers by a judge, not a judge. Run "
                        f"it by lm_eval (docs/how-to/judged-tasks.md: `lm_eval run … --tasks {name}"
                        "`); for a judge choose a task of pairs: `ste tasks list`."
                    )
                return TaskFile(folder, dict(task.get("metadata") or {}))
    names = task_names(folders)
    hint = did_you_mean(name, names) or f" There are {', '.join(names)}."
    raise ConfigError(
        f"{where}: no task {name!r}.{hint} `ste tasks list` shows all; a plugin can add a folder "
        "of its own (ste_task_dirs)."
    )


def _tasks(folder: Path) -> list[dict[str, Any]]:
    return [_read_task(path) for path in sorted(folder.rglob("*.yaml"))]


def _read_task(path: Path) -> dict[str, Any]:
    """Return a task's keys, merged over those of the file it includes as lm-eval merges them."""
    task = safe_yaml.read(path, "A folder of tasks holds lm-eval's YAML alone", _TaskLoader)
    included = task.get("include")
    return (_read_task(path.parent / included) if isinstance(included, str) else {}) | task
