"""What was downloaded from the hub: some revisions of a repository, in the hub's own cache."""

import shutil
from pathlib import Path

import pytest


def downloaded(
    cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, **revisions: Path | None
) -> dict[str, Path]:
    """The snapshots of a repository's revisions, each a copy of a folder, or empty.

    `cache` becomes the hub's cache; no other revision of it is there.
    """
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    repo = cache / f"models--{name.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    snapshots = {revision: repo / "snapshots" / f"of-{revision}" for revision in revisions}
    for revision, folder in revisions.items():
        (repo / "refs" / revision).write_text(snapshots[revision].name)
        if folder is None:
            snapshots[revision].mkdir(parents=True)
        else:
            shutil.copytree(folder, snapshots[revision])
    return snapshots
