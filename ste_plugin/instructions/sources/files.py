"""The file that a source names: it exists, is readable, and is of the kind it is read as."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ste_plugin.errors import DataError
from ste_plugin.text.file_type import HEAD_BYTES, explain_file_type

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig

NEEDS_EXTRA = "Install it: pip install 'ste-plugin[data]'"


def locate_file(source: "SourceConfig", base: Path) -> Path:
    """Return the file that `path` names, relative to the config's folder.

    Raises: DataError with the resolved path, where there is no such file.
    """
    path = (base / Path(source.path).expanduser()).resolve()
    if not path.is_file():
        problem = "is a folder, not a file" if path.is_dir() else "no such file"
        hub = ", or set reader: hub" if re.fullmatch(r"[\w-]+/[\w-]+", source.path) else ""
        raise DataError(
            f"{path}: {problem}. `path: {source.path}` of an instruction source is taken relative "
            f"to the config's folder; correct it there{hub}."
        )
    return path


def locate_text_file(source: "SourceConfig", base: Path) -> Path:
    """Return that file if it is text.

    Raises: DataError where there is no such file, or saying what it is instead of text.
    """
    path = locate_file(source, base)
    require_text(path)
    return path


def require_text(path: Path) -> None:
    """Raise DataError for a file whose first bytes say that it is compressed, Parquet or UTF-16."""
    with wrap_read_errors(path), path.open("rb") as file:
        if problem := explain_file_type(file.read(HEAD_BYTES)):
            raise DataError(f"{path}: expected text in UTF-8, {problem}")


@contextmanager
def wrap_read_errors(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
