"""Publishing into a folder: whole or not at all."""

import shutil
from pathlib import Path

from ste_plugin.errors import ConfigError
from ste_plugin.publish.files import Repository
from ste_plugin.storage.durable import make_folder, move, sync_files, wrap_write_errors

PLACES = {"model": "model", "dataset": "data"}
"""Kind of repository → its folder."""


def check_free(folder: Path) -> None:
    """Raise ConfigError where something is in a folder already, or a file is there."""
    if folder.is_file():
        raise ConfigError(f"--to: {folder} is a file; expected a folder. Name another one.")
    if folder.is_dir() and (names := sorted(path.name for path in folder.iterdir())):
        raise ConfigError(
            f"--to: {folder} is not empty: {', '.join(names[:3])} "
            f"{'is' if len(names) == 1 else 'are'} in it. Name another folder, or remove it: what "
            "is published is written whole, beside nothing else."
        )


def write_folder(folder: Path, repositories: tuple[Repository, ...]) -> None:
    """Write what is published into a new folder, which is there once it is whole.

    Raises: ConfigError where the folder is not empty; DataError where it cannot be written.
    """
    check_free(folder)
    folder = folder.absolute()  # "." has no name of its own
    unfinished = folder.with_name(f".{folder.name}.new")
    with wrap_write_errors(unfinished):
        shutil.rmtree(unfinished, ignore_errors=True)
        for repository in repositories:
            _write(unfinished / PLACES[repository.kind], repository)
        sync_files(unfinished)
        if folder.is_dir():
            folder.rmdir()
    move(unfinished, folder)


def _write(folder: Path, repository: Repository) -> None:
    for name, content in repository.files.items():
        path = folder / name
        make_folder(path.parent)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)
