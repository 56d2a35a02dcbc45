"""What is said to be done is on disk: files and folders that outlive a killed process and a power cut.

The order of writes, for every file of a run; what is on disk is what was synced, in this order:

1. A completion is appended before anything is made of it. The file is synced at the end of what was
   asked together, and every few seconds meanwhile; what a killed start left unsynced, when it is opened.
2. A file that is replaced is written and synced beside its place, then renamed, then its folder is
   synced. A folder's name is synced before anything is put into it.
3. A file that vouches for others (`done.json`, `manifest.json`, `trained.json`, `results.json`,
   `report.json`) is replaced after all of them; one that vouches no longer is removed before them.
4. What other programs write (a model's files, lm-eval's replies) is synced by `sync_files` before a
   file vouches for it. Logs are not synced, and nothing is derived from them.

So after a cut at any moment a file that vouches for others is true, and all else is made again.
"""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from ste_plugin.errors import DataError

_CURES = {
    errno.ENOSPC: "The disk is full: make room",
    errno.EDQUOT: "Your quota is used up: make room",
    errno.EROFS: "The file system is read-only: mount it for writing",
    errno.EACCES: "Its permissions forbid it: change them",
    errno.EPERM: "Its permissions forbid it: change them",
    errno.EEXIST: "A file is there, where a folder is needed: move it away, or name another folder",
    errno.ENOTDIR: "A file is there, where a folder is needed: move it away, or name another folder",
}
_BUFFER = 1 << 18
"""Rows of prompts are some kilobytes each: at Python's 8 KB every few of them would be a write of their own."""
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def is_about_storage(error: OSError) -> bool:
    """Return whether the disk, or the rights to it, are the reason."""
    return error.errno in _STORAGE


def write_error(path: Path | str, error: OSError) -> DataError:
    """Return the error of a file or folder that cannot be written, with what to do about it."""
    cure = _CURES.get(error.errno or 0, "See that it can be written")
    return DataError(
        f"{path}: cannot be written ({error.strerror}). {cure}, then run the same command again: what "
        "is done is kept."
    )


@contextmanager
def wrap_write_errors(path: Path) -> Iterator[None]:
    """Turn a failure to write into the error that `write_error` gives."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


class _Raw(io.FileIO):
    """A file whose writes, of buffers too, fail with what to do."""

    def write(self, content: Any) -> int:
        try:  # no context manager: this runs once a judgment
            return super().write(content)
        except OSError as error:
            raise write_error(os.fsdecode(self.name), error) from error


def open_binary(path: Path, mode: str) -> BinaryIO:
    """Open a file for writing; every write of it that fails says what to do."""
    with wrap_write_errors(path):
        return io.BufferedWriter(_Raw(path, mode), _BUFFER)


def sync(file: BinaryIO) -> None:
    """Put on disk what was written to a file so far."""
    file.flush()
    with wrap_write_errors(Path(os.fsdecode(file.name))):
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk: new, renamed and removed ones."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no such thing
            raise write_error(folder, error) from error
    finally:
        os.close(place)


def sync_files(folder: Path) -> None:
    """Put on disk what another program wrote into a folder and below, names included."""
    for here, _, files in os.walk(folder):
        for name in files:
            path = Path(here, name)
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        sync_folder(Path(here))


def sync_folders(root: Path) -> None:
    """Put the names in a folder and in all below it on disk, whoever made them."""
    for here, _, _ in os.walk(root):
        sync_folder(Path(here))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, each on disk before what is in it."""
    missing = list(takewhile(lambda place: not place.exists(), (folder, *folder.parents)))
    with wrap_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        sync_folder(made.parent)


def move(source: Path, target: Path) -> Path:
    """Return `target`, which is `source` renamed, on disk."""
    make_folder(target.parent)
    with wrap_write_errors(target):
        source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)
    return target


def remove(path: Path) -> None:
    """Remove a file, where there is one, before anything else happens."""
    if path.exists():
        with wrap_write_errors(path):
            path.unlink(missing_ok=True)
        sync_folder(path.parent)
