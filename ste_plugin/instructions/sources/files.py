"""The files that a source names: one, those of a folder, or those that a pattern matches."""

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ste_plugin.errors import DataError
from ste_plugin.instructions.sources.folders import (
    choose_files,
    choose_split,
    first_few,
    is_run,
    kind_of,
    natural_order,
    paths_below,
    refuse_missing,
)

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig

_NULL = "__HIVE_DEFAULT_PARTITION__"
_CORRECT = (
    "`path: {}` of an instruction source is taken relative to the config's folder; correct it "
    "there{}."
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One of the files of a source."""

    path: Path
    shown: str
    """Its name in messages: as the source names it, relative to the config."""
    columns: Mapping[str, str | None] = field(default_factory=dict)
    """What folders called `column=value` say about all of its rows."""


def find_source_files(source: "SourceConfig", base: Path, reader: str) -> list[SourceFile]:
    """Return the files of a source in natural order (part-2 before part-10), wherever it is run.

    `path` is relative to `base`. It is a file, or else a folder, which is read with those in it,
    or else a pattern of `glob`. Links are followed; a file that is reached twice is read once.
    Raises: DataError where nothing is found, where files are of several kinds, or of another than
    the reader's, and where a folder holds several splits but not the one of `source.split`.
    """
    return find_files(source.path, base, reader, source.split)


def find_files(path: str, base: Path, reader: str = "", split: str = "") -> list[SourceFile]:
    """Return the files of a path, as `find_source_files`; without a split those of all splits."""
    place = _absolute(path, base)
    if place.is_file():
        _refuse_csv(place, reader)
        return [SourceFile(place, path)]
    if place.is_dir() and path:
        names = choose_files(place, paths_below(place), reader)
        names = choose_split(place, names, split) if split else names
        refuse_missing(place, names)
        return _once_each({str(PurePosixPath(path) / name): name for name in names}, base)
    if glob.has_magic(path):
        return match_files(path, base, _CORRECT.format(path, ""), reader)
    hub = ", or set reader: hub" if re.fullmatch(r"[\w-]+/[\w-]+", path) else ""
    raise DataError(f"{place}: no such file. {_CORRECT.format(path, hub)}")


def _absolute(path: str, base: Path) -> Path:
    """Return where a path leads; a link stays one, since its own name says what the file is."""
    return Path(os.path.abspath(base / _home(path)))  # noqa: PTH100 - resolve() follows links


def _home(path: str) -> str:
    """Return a path with the home folder for ~, where there is such a user."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path's raises for a user that there is not


def match_files(path: str, base: Path, correct: str, reader: str = "") -> list[SourceFile]:
    """Return the files that a pattern matches, as `find_source_files`.

    Without a reader, any kind will do, but one only. A folder that matches stands for the files in
    it. Raises: DataError, which ends with `correct` where nothing matches.
    """
    pattern = re.sub("^~[^/]*", lambda home: glob.escape(_home(home[0])), path)
    place, parts = _absolute(path, base), PurePosixPath(pattern).parts
    fixed = next(n for n, part in enumerate(parts) if glob.has_magic(part))
    matches = _matches(pattern, base, base.joinpath(*parts[:fixed]))
    names = {"/".join(name.parts[fixed:]): str(name) for name in matches}
    if not names:
        raise DataError(f"{place}: no file matches this pattern; {_nearby(place)} {correct}")
    chosen = choose_files(place, names, reader, parts[fixed:])
    return _once_each({names[below]: below for below in chosen}, base)


def _matches(pattern: str, base: Path, start: Path) -> Iterator[PurePosixPath]:
    """Yield the files that a pattern matches, and those in folders that it matches.

    `start` is where its fixed part leads. By `**` a run's own files are not found.
    """
    for match in glob.glob(pattern, root_dir=base, recursive=True):  # noqa: PTH207 - absolute, too
        path = base / match
        if "**" in pattern and any(is_run(p) for p in (path, *path.parents) if start in p.parents):
            continue
        below = paths_below(path) if path.is_dir() else [""] * os.path.lexists(path)
        yield from (PurePosixPath(match) / name for name in below)


def _columns(name: str) -> dict[str, str | None]:
    """Return the columns in the names of the folders around a file, as Hive and Spark write them.

    >>> _columns("lang=en/day=__HIVE_DEFAULT_PARTITION__/part-0.parquet")
    {'lang': 'en', 'day': None}
    """
    pairs = (part.partition("=") for part in PurePosixPath(name).parts[:-1] if "=" in part)
    return {column: None if text == _NULL else unquote(text) for column, _, text in pairs if column}


def _once_each(names: Mapping[str, str], base: Path) -> list[SourceFile]:
    """Return the files of names in natural order, of several links to one file the least deep.

    Of each name, its part below the folder or pattern is given. Raises: DataError for a link to
    nothing.
    """
    found: dict[str, SourceFile] = {}
    for name in sorted(names, key=lambda name: (name.count("/"), natural_order(name))):
        path = _absolute(name, base)
        if not path.is_file():
            problem = "neither a file nor a folder"
            if path.is_symlink():
                problem = f"a link to {path.readlink()}, which is not there"
            raise DataError(f"{path}: expected a file, found {problem}. Fetch it again.")
        found.setdefault(os.path.realpath(path), SourceFile(path, name, _columns(names[name])))
    return sorted(found.values(), key=lambda file: natural_order(file.shown))


def _refuse_csv(path: Path, reader: str) -> None:
    if reader == "jsonl" and kind_of(path.name) == "csv":
        ending = path.name[path.name.lower().rindex(".csv") :]
        raise DataError(
            f"{path}: expected JSON lines, found a name that ends in {ending}. Set reader: csv."
        )


def _nearby(place: Path) -> str:
    """Return a sentence on what is in the nearest folder above a pattern that is there."""
    folder = next(parent for parent in place.parents if parent.is_dir())
    held = sorted((path.name for path in folder.iterdir()), key=natural_order)
    return f"{folder} holds {first_few(held) or 'nothing'}."


def describe_files(files: Sequence[SourceFile]) -> str:
    """Return one line on the files of a source: the one, or how many, first, last and size."""
    if len(files) == 1:
        return str(files[0].path)
    size = sum(file.path.stat().st_size for file in files)
    return f"{len(files)} files, {files[0].path} to {files[-1].path}, {size / 1e6:,.1f} MB"
