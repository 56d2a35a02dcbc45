"""Durable writes: what a run reports as done survives a killed process and a power cut.

The order of writes, for every file of a run (only what was synced counts as on disk):

1. A completion is appended before anything is derived from it. The file is synced at the end of
   each batch of requests and every few seconds meanwhile; what a killed process left unsynced is
   synced when the file is next opened.
2. A replaced file is written and synced under a temporary name beside its place, then renamed, then
   its folder is synced. A folder's name is synced before anything is put into it.
3. A file that certifies others (`done.json`, `manifest.json`, `trained.json`, `results.json`,
   `report.json`) is replaced after all of them; one that is no longer true is removed before them.
4. What other programs write (a model's files, lm-eval's replies) is synced by `sync_files` before a
   file certifies it. Logs are not synced, and nothing is derived from them.

So after a power cut at any moment each certifying file is true, and everything else is made again.
"""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from ste_plugin.errors import DataError

_FILE_IN_THE_WAY = "A file is there, where a folder is needed: move it away, or name another folder"
_ADVICE = {
    errno.ENOSPC: "The disk is full: make room",
    errno.EDQUOT: "Your quota is used up: make room",
    errno.EROFS: "The file system is read-only: mount it for writing",
    errno.EACCES: "Its permissions forbid it: change them",
    errno.EPERM: "Its permissions forbid it: change them",
    errno.EEXIST: _FILE_IN_THE_WAY,
    errno.ENOTDIR: _FILE_IN_THE_WAY,
}
_BUFFER = 1 << 18
"""Rows of prompts are some kilobytes each: Python's 8 KB would mean a write per few of them."""
_STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def is_about_storage(error: OSError) -> bool:
    """Return whether an error is about the disk, or the permissions on it."""
    return error.errno in _STORAGE_ERRORS


def write_error(path: Path | str, error: OSError) -> DataError:
    """Return the error for a file or folder that cannot be written, with what to do about it."""
    advice = _ADVICE.get(error.errno or 0, "See that it can be written")
    return DataError(
        f"{path}: cannot be written ({error.strerror}). {advice}, then run the same command again: "
        "what is done is kept."
    )


@contextmanager
def wrap_write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into `write_error`."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


class _RawFile(io.FileIO):
    """A file whose writes, buffered ones too, fail with `write_error`."""

    def write(self, content: Any) -> int:
        try:  # no context manager, as this runs once per judgment
            return super().write(content)
        except OSError as error:
            raise write_error(os.fsdecode(self.name), error) from error


def open_binary(path: Path, mode: str) -> BinaryIO:
    """Open a file for writing; a write that fails raises `write_error`."""
    with wrap_write_errors(path):
        return io.BufferedWriter(_RawFile(path, mode), _BUFFER)


def open_temporary(folder: Path) -> BinaryIO:
    """Open a file without a name on a folder's disk; a write that fails raises `write_error`."""
    with wrap_write_errors(folder), TemporaryFile(dir=folder, buffering=0) as file:
        raw = _RawFile(folder, "r+b", opener=lambda *_: os.dup(file.fileno()))
        return io.BufferedRandom(raw, _BUFFER)


def sync(file: BinaryIO) -> None:
    """Sync to disk what was written to a file so far."""
    file.flush()
    with wrap_write_errors(Path(os.fsdecode(file.name))):
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk: new, renamed and removed ones."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise write_error(folder, error) from error
    finally:
        os.close(descriptor)


def sync_files(folder: Path) -> None:
    """Sync to disk what another program wrote into a folder and below, names included."""
    for parent, _, files in os.walk(folder):
        for name in files:
            path = Path(parent, name)
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        sync_folder(Path(parent))


def sync_folders(root: Path) -> None:
    """Sync to disk the names in a folder and in all folders below it, whoever made them."""
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, each synced before anything is put into it."""
    missing = list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    with wrap_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def move(source: Path, target: Path) -> Path:
    """Rename `source` to `target`, synced to disk; return `target`."""
    make_folder(target.parent)
    with wrap_write_errors(target):
        source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)
    return target


def remove(path: Path) -> None:
    """Remove a file where there is one, synced to disk."""
    if path.exists():
        with wrap_write_errors(path):
            path.unlink(missing_ok=True)
        sync_folder(path.parent)
