"""Runs in lm-eval's environment: prints what lm-eval finds wrong with a folder of tasks.

`python -m ste_plugin.lm_eval_tasks.check_tasks FOLDER NAME…` prints `STE {"name": "problem", …}`. A
task whose data is not here is loaded as far as its data.
"""

import json
import sys
import traceback
from typing import Any

from ste_plugin.errors import SteError

_OF_DATA = ("datasets", "huggingface_hub", "fsspec")
"""Libraries in which an error is about data that is not here, not about the task."""


def main(folder: str, *names: str) -> None:
    """Print what is wrong with tasks of a folder."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=folder, include_defaults=False)
    known = set(manager.all_tasks)
    problems = {
        name: _problem(manager, name)
        if name in known
        else "lm-eval does not find it. Is the file's `task` (or `group`) a name?"
        for name in names
    }
    sys.stdout.write(f"\nSTE {json.dumps({n: p for n, p in problems.items() if p})}\n")


def _problem(manager: Any, name: str) -> str:
    load = getattr(manager, "load", None) or manager.load_task_or_group  # from 0.4.12 on: load
    try:
        load([name])
    except SteError:
        return ""  # our own tasks say which data or setting they lack
    except Exception as error:  # whatever a task's functions raise
        return "" if _is_of_data(error) else f"{type(error).__name__}: {error}"
    return ""


def _is_of_data(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any(
        f"-packages/{library}/" in frame.filename for frame in frames for library in _OF_DATA
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
