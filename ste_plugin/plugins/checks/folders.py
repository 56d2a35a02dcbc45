"""Folders of recipes and tasks: there, in the package, and read by axolotl and lm-eval."""

import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pluggy

from ste_plugin.errors import HostError, SteError
from ste_plugin.fitting.catalogue import purpose_of, recipe_problems
from ste_plugin.hosts.run_host import run_host
from ste_plugin.plugins.checks.told import guarded, instead, own
from ste_plugin.storage.resources import task_names

RECIPES, TASKS = "ste_recipe_dirs", "ste_task_dirs"
_MINUTES = 10


def folder_problems(manager: pluggy.PluginManager, plugin: str) -> list[str]:
    """Return what is wrong with a plugin's folders of recipes and of tasks.

    Where axolotl or lm-eval is not installed here, what they alone know is not checked, and a
    warning says so.
    """
    checks = {RECIPES: _recipes, TASKS: _tasks}
    problems: list[str] = []
    for hook, check in checks.items():
        for implementation in own(manager, hook, plugin):
            others = _other_folders(manager, hook, plugin)
            problems += guarded(hook, partial(check, implementation.function, others))
    return problems


def _other_folders(manager: pluggy.PluginManager, hook: str, plugin: str) -> list[Path]:
    implementations = getattr(manager.hook, hook).get_hookimpls()
    return [found.function() for found in implementations if found.plugin_name != plugin]


def _folder_problem(folder: Any, kind: str) -> str:
    if not isinstance(folder, Path):
        return f"it returned {instead(folder)}; expected a Path, as Path(__file__).parent / {kind}."
    if not folder.is_dir():
        return (
            f"{folder} is no folder. Is it inside the package, so that it is installed with it, "
            "and found by Path(__file__).parent?"
        )
    if not any(folder.rglob("*.yaml")):
        return f"{folder} holds no file *.yaml. Add it to the package's data, or leave the hook."
    return ""


def _recipes(function: Any, others: list[Path]) -> Iterator[str]:
    folder = function()
    if problem := _folder_problem(folder, "'recipes'"):
        yield problem
        return
    files = sorted(folder.glob("*.yaml"))
    taken = {path.stem: path for other in others for path in other.glob("*.yaml")}
    for path in files:
        if path.stem in taken:
            yield f"{path.name}: a recipe of that name is in {taken[path.stem].parent}. Rename it."
        if not purpose_of(path):
            yield f"{path.name}: no line `# purpose: …`, which `ste recipes list` shows. Add it."
    if not _is_installed("axolotl", "recipes' keys"):
        return
    for path, problems in recipe_problems(files).items():
        yield from (f"{path.name}: {problem}" for problem in problems)


def _tasks(function: Any, others: list[Path]) -> Iterator[str]:
    folder = function()
    if problem := _folder_problem(folder, "'tasks'"):
        yield problem
        return
    try:
        names, taken = task_names([folder]), set(task_names(others))
    except SteError as error:
        yield str(error)
        return
    for name in names:
        if name in taken:
            yield f"a task {name!r} is there already. Rename yours."
    if not names:
        yield f"{folder}: no file there has a `task` or a `group`, so that lm-eval finds none."
    elif _is_installed("lm_eval", "tasks"):
        yield from (f"{name}: {problem}" for name, problem in _ask_lm_eval(folder, names).items())


def _is_installed(module: str, what: str) -> bool:
    found = find_spec(module) is not None
    if not found:
        warnings.warn(f"{module} is not installed here: {what} are not checked", stacklevel=2)
    return found


def _ask_lm_eval(folder: Path, names: list[str]) -> dict[str, str]:
    """Return task → what lm-eval, in a process of its own, finds wrong with it."""
    command = [sys.executable, "-m", "ste_plugin.lm_eval_tasks.check_tasks", str(folder), *names]
    env = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="ste-tasks-") as place:
        log = Path(place) / "lm-eval.log"
        try:
            run_host(command, env=env, log=log, timeout_minutes=_MINUTES, what="loading tasks")
        except HostError as error:
            return {"lm-eval": str(error)}
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    answer = next(line for line in reversed(lines) if line.startswith("STE "))
    found: dict[str, str] = json.loads(answer[4:])
    return found
