"""Finding recipes and tasks: in a source checkout beside the package, in a wheel inside it."""

from collections.abc import Iterable
from pathlib import Path

import yaml

PACKAGE = Path(__file__).parent


def shipped(folder: str) -> Path:
    """Return our own `recipes` or `tasks` folder, wherever this installation keeps it."""
    inside = PACKAGE / folder
    return inside if inside.is_dir() else PACKAGE.parent / folder


class _TaskLoader(yaml.SafeLoader):
    """Reads lm-eval's YAML without running the functions that `!function` names."""


_TaskLoader.add_constructor("!function", lambda _, node: str(node.value))


def task_names(folders: Iterable[Path]) -> list[str]:
    """Return the lm-eval tasks and groups that the folders define, sorted."""
    names = set()
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            task = yaml.load(path.read_text(encoding="utf-8"), Loader=_TaskLoader)
            names |= {task[key] for key in ("task", "group") if isinstance(task.get(key), str)}
    return sorted(names)
