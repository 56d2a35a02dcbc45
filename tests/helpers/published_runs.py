"""Finished runs to publish, and the command that publishes them, in the test's own process."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.hub_server import TOKEN, Hub
from tests.helpers.judged_runs import config_of, judges_trained, run


def finished_run(folder: Path, tiny_model: Path, *judges: float | str, **more: object) -> Path:
    """The folder of a run of which iteration n trained the n-th of these judges."""
    folder.mkdir(exist_ok=True)
    path = config_of(folder, tiny_model, iterations=len(judges), **more)
    with judges_trained(*judges):
        run(path)
    return folder / "run"


def copied(run_folder: Path, target: Path) -> Path:
    """A copy of a run with its config and plugin, for a test that changes it."""
    shutil.copytree(run_folder.parent, target, dirs_exist_ok=True)
    return target / run_folder.name


def publish(run_folder: Path, to: object, *options: object) -> None:
    """Publish a run of the helpers. Raises: SteError, as the command ends with."""
    from ste_plugin.cli.entry_point import app

    hooks = run_folder.parent / "hooks.py"
    words = ["publish", run_folder.parent / "ste.yaml", "--to", to, "--plugin", hooks, *options]
    app([str(word) for word in words], standalone_mode=False)


def reach(hub: Hub, patch: pytest.MonkeyPatch, token: str | None = TOKEN) -> None:
    """Have huggingface_hub talk to a stand-in, with this token."""
    from huggingface_hub import constants

    patch.setattr(constants, "ENDPOINT", hub.url)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_TOKEN_PATH", "/dev/null")
    patch.setattr(constants, "HF_STORED_TOKENS_PATH", "/dev/null")
    patch.delenv("HF_TOKEN", raising=False)
    patch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    if token:
        patch.setenv("HF_TOKEN", token)
