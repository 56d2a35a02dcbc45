"""Which files hold a benchmark's rows: of a folder of published files those of its splits."""

import glob
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.instructions.sources import folders
from ste_plugin.instructions.sources.files import match_files
from ste_plugin.instructions.sources.folders import first_few
from ste_plugin.instructions.sources.unpacking import PACKED

logger = logging.getLogger(__name__)

KINDS = tuple(ending for endings in folders.ENDINGS.values() for ending in endings)
ENDINGS = (*KINDS, *(f"{kind}{packed}" for kind in KINDS[:-1] for packed in PACKED))
"""Of the names of files that can be read; a packed Parquet file cannot."""
ENDING = rf"(?:{'|'.join(map(re.escape, ENDINGS))})"
_SHARD = r"-\d+-of-\d+(?:-\w+)?"
_NUMBER = re.compile(rf"-(\d+)-of-\d+(?:-\w+)?(?={ENDING}$)|(?<=/)\d+(?={ENDING}$)")
_CORRECT = "Correct the path: --data, evaluation.pairs or evaluation.data, or STE_JUDGE_DATA."


def of_split(split: str) -> str:
    """Return a pattern of what the hub calls the files of a split.

    >>> names = "human.jsonl", "human-00000-of-00001-25f49.parquet", "human/0000.parquet"
    >>> [bool(re.fullmatch(of_split("human"), name)) for name in names]
    [True, True, True]
    """
    return rf"{split}(?:{_SHARD})?{ENDING}|{split}/\d+{ENDING}"


@dataclass(frozen=True, slots=True)
class Published:
    """How a data set is published: patterns of paths below its folder, which may lie deeper."""

    repository: str = ""
    """What a clone or download of it is called."""
    splits: tuple[Mapping[str, str], ...] = ()
    """Part of the data set → pattern of its files; the first of which a file is there counts."""
    others: tuple[str, ...] = ()
    """Patterns of what is published beside them and never judged."""


class NotThere(DataError):
    """A folder that has nothing of a benchmark, though perhaps of others."""


class Found(NamedTuple):
    """The files of a benchmark."""

    files: list[tuple[Path, str]]
    """Each with the part of the data set that it holds."""
    left: list[Path]
    """Files of the folder that hold none of its splits."""


def find_files(data: Path, name: str, published: Published | None = None) -> Found:
    """Return the files of a benchmark: `data` itself, what it matches, or what that folder has.

    That is NAME.jsonl (or .json, .csv, .parquet), or the files of its splits below a folder called
    NAME or as its repository, or below `data` itself. A folder without any file of that name
    is read whole, but for splits that are never judged.
    Raises: NotThere where there is none; DataError for more than one place to choose from, or a
    folder of that name in which nothing counts.
    """
    if data.is_file():
        return Found([(data, "")], [])
    if not data.is_dir():
        if glob.has_magic(str(data)):
            return Found([(file.path, "") for file in match_files(str(data), Path(), _CORRECT)], [])
        raise DataError(f"{data}: no such file or folder. {_CORRECT}")
    published = published or Published()
    single = [data / f"{name}{ending}" for ending in ENDINGS]
    names = {name.lower(), published.repository.lower()}
    folders = [p for p in sorted(data.iterdir()) if p.is_dir() and p.name.lower() in names]
    below = [files_below(folder, published) for folder in folders]
    candidates = [Found([(path, "")], []) for path in single if path.is_file()]
    candidates += [found for found in below if found.files]
    if not candidates and (own := files_below(data, published, itself=True)).files:
        candidates = [own]
    if len(candidates) != 1:
        left = [path for found in below for path in found.left]
        kind = DataError if candidates or left else NotThere
        raise kind(_not_one(data, name, candidates, left))
    return candidates[0]


def _not_one(data: Path, name: str, candidates: list[Found], left: list[Path]) -> str:
    found = ", ".join(str(each.files[0][0]) for each in candidates)
    if not found and left:
        found = f"{first_few(map(str, left))}, none of which holds what is judged"
    return (
        f"{data}: expected {name}.jsonl (or .json, .csv, .parquet) or a folder {name} with "
        f"such files in it; found {found or 'neither such a file nor folder'}. Put the "
        "benchmark's rows there, in one of these ways."
    )


def files_below(folder: Path, published: Published, *, itself: bool = False) -> Found:
    """Return the files of the splits below a folder, and those that are left.

    With `itself` the folder need not be the benchmark's own, so nothing counts but published names
    at their place. Raises: DataError where one split is there twice.
    """
    start = "(?:(?:data|default)/)*" if itself else "(?:.*/)?"
    names = folders.paths_below(folder)
    every = {folder / name: name for name in names if (folder / name).is_file()}
    visible = {p: path for p, path in every.items() if not re.search(r"(?:^|/)\.", path)}
    own = {p: path for p, path in visible.items() if not _part(path, start, published.others)}
    files: list[tuple[Path, str]] = []
    for split in published.splits:
        parts = {p: _part(path, start, split.values()) for p, path in own.items()}
        called = {pattern: part for part, pattern in split.items()}
        files = files or [(p, called[pattern]) for p, pattern in parts.items() if pattern]
    if not files and not itself:
        files = [(p, without_ending(path)) for p, path in own.items() if path.endswith(ENDINGS)]
    else:
        refuse_twice(files)
    read = {path for path, _ in files}
    left = [p for p in every if p not in read]
    return Found(files, sorted(left, key=lambda p: p not in visible))


def _part(path: str, start: str, patterns: Iterable[str]) -> str:
    """Return the pattern that a path is of, or nothing."""
    return next((p for p in patterns if re.fullmatch(f"{start}(?:{p})", path)), "")


def without_ending(path: str) -> str:
    """Return a path without the ending of a file that holds rows."""
    return re.sub(ENDING + "$", "", path)


def refuse_twice(files: list[tuple[Path, str]]) -> None:
    """Raise DataError where a part is there in two kinds of file, in two places or two versions.

    Several files are one part only as pieces side by side, each with another number.
    """
    for part, group in groupby(sorted(files, key=lambda file: file[1]), lambda file: file[1]):
        paths = [path for path, _ in group]
        numbers = {_number(path) for path in paths}
        wholes = {_NUMBER.sub("#", str(path)) for path in paths}
        if len(wholes) > 1 or len(numbers) < len(paths):
            raise DataError(
                f"{first_few(map(str, paths))}: all of them hold {part or 'the whole data set'}, "
                "and only one is to be judged. Keep one, and put the others elsewhere."
            )


def _number(path: Path) -> str:
    """Return the number of a piece; nothing of a whole."""
    found = _NUMBER.search(str(path))
    return (found[1] or found[0]) if found else ""


def tell_left(name: str, found: Found) -> None:
    """Log which files of a benchmark's folder are not read."""
    if found.left:
        names = Counter(path.name for path in found.left)
        logger.warning(
            "%s: %d files read, %d left as they hold none of its splits: %s",
            name,
            len(found.files),
            len(found.left),
            first_few(
                f"{called} ({n} of them)" if n > 1 else called for called, n in names.items()
            ),
        )
