"""Finished runs whose judge is refreshed on a policy's answers; judges are known ones."""

import json
import shutil
from pathlib import Path

from ste_plugin.cli.entry_point import app
from tests.helpers.judged_runs import config_of, judges_trained, run


def finished_run(folder: Path, tiny_model: Path, *judges: float | str, **more: object) -> Path:
    """The config of a run of which iteration n trained the n-th of these judges."""
    folder.mkdir(exist_ok=True)
    more = {"dataset": {"dev_fraction": 0.3, "test_fraction": 0.3}} | more
    path = config_of(folder, tiny_model, iterations=len(judges), **more)
    with judges_trained(*judges):
        run(path)
    return path


def policy(folder: Path, tiny_model: Path, step: int) -> Path:
    """A checkpoint of a policy, other weights than any other's by its config."""
    target = folder / f"policy/step-{step}"
    shutil.copytree(tiny_model, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {"step": step}))
    return target


def follow(config: Path, checkpoint: object, judge: float | str = 0.9, *words: object, **more):
    """Follow a checkpoint by the command; the round trains this judge.

    `more` is given to `judges_trained`. Raises: SteError, as the command ends with.
    """
    hooks = config.parent / "hooks.py"
    said = ["follow", checkpoint, "--run", config, "--plugin", hooks, *words]
    with judges_trained(judge, **more):
        app([str(word) for word in said], standalone_mode=False)
