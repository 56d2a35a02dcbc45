"""Which files of a folder hold rows: those of one kind and one split, in natural order."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ste_plugin.errors import DataError
from ste_plugin.instructions.sources.unpacking import PACKED

ENDINGS = {"jsonl": (".jsonl", ".ndjson", ".json"), "csv": (".csv",), "parquet": (".parquet",)}
"""Reader → the endings of its files in a folder; texts may be packed, too."""
_NO_ROWS = re.compile(
    r"(?:readme|licen[cs]e|copying|notice|changelog|citation|makefile)(?:\.(?:txt|cff|bib))?"
    r"|(?:dataset_infos?|dataset_dict|state)\.json"
    r"|.*\.(?:md|rst|ya?ml|py|ipynb|crc|md5|sha256|lock|log|png|jpe?g|svg|gif|pdf)",
    re.IGNORECASE,
)
"""Names of what lies beside the rows: it is neither read nor told."""
_SPLITS = {
    "train": ("training",),
    "validation": ("valid", "val", "dev"),
    "test": ("testing", "eval", "evaluation"),
}
"""Split → its other names."""
_CANONICAL = {name: split for split, others in _SPLITS.items() for name in (split, *others)}
_NUMBERED = re.compile(r"(.+)-(\d+)-of-(\d+)(?:-\w+)?")
_SERIES = re.compile(r"(.+)[-._](\d+)[-_]of[-_](\d+)(?!\d)")
"""As _NUMBERED, and as others write: `c4-train.00000-of-01024.json.gz`, `part_1_of_4.jsonl`."""
_TABLES = {"_delta_log": "Delta", ".hoodie": "Hudi"}
"""Folder → the kind of table that it is a log of: which of the files beside it count."""
_OF_A_RUN = ("run.yaml", "events.jsonl")
"""What lies in the folder of a run, whose files are no source."""
_NAMED = 8
"""How many names an error lists."""


def natural_order(name: str) -> tuple[list[tuple[str, int]], str]:
    """Return a key to sort names by, in which numbers count as such; the same on every machine.

    >>> sorted(["part-10", "part-9", "part-1b", "part-1"], key=natural_order)
    ['part-1', 'part-1b', 'part-9', 'part-10']
    """
    pieces = re.findall(r"([^0-9]*)([0-9]*)", name)
    return [(text, int(number or -1)) for text, number in pieces], name


def kind_of(name: str) -> str:
    """Return the reader of a file of such a name, or nothing.

    >>> [kind_of(name) for name in ("a.JSONL.gz", "a.snappy.parquet", "a.parquet.gz", "a.txt")]
    ['jsonl', 'parquet', '', '']
    """
    name = name.lower()
    bare = next((name.removesuffix(e) for e in PACKED if name.endswith(e)), name)
    kind = next((kind for kind, endings in ENDINGS.items() if bare.endswith(endings)), "")
    return "" if kind == "parquet" and bare != name else kind


def paths_below(folder: Path) -> list[str]:
    """Return the names of all files below a folder, relative to it; links are followed.

    A folder that is reached twice, as by a link to one above, is read once, and the folder of a run
    not at all. Raises: DataError for a folder that cannot be read.
    """
    names: list[str] = []
    seen: set[str] = set()
    for place, inner, files in os.walk(folder, onerror=_refuse_folder, followlinks=True):
        inner.sort(key=natural_order)
        real = os.path.realpath(place)
        if real in seen or (seen and is_run(Path(place))):
            inner.clear()
            continue
        seen.add(real)
        below = PurePosixPath(Path(place).relative_to(folder).as_posix())
        names += [str(below / name) for name in files]
    return sorted(names, key=natural_order)


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run's, which may lie beside the sources."""
    return all((folder / name).is_file() for name in _OF_A_RUN)


def _refuse_folder(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from error


def choose_files(
    place: Path, names: Iterable[str], reader: str, pattern: Sequence[str] = ()
) -> list[str]:
    """Return those of a folder's files that hold rows: not hidden ones, nor what describes them.

    Without a reader, any kind will do, but one only. `pattern` has the parts of the pattern that
    named them, if one did; it may ask for hidden files, and for names without any ending.
    Raises: DataError for no file, or for others than the reader's.
    """
    names = list(names)
    _refuse_tables(place, names)
    shown = [name for name in names if not _is_aside(name, pattern)]
    is_source = bool(reader)
    reader = reader or next(filter(None, map(kind_of, shown)), "jsonl")
    expected = f"{place}: expected files that end in {_endings(reader)}"
    expected += f" for reader: {reader}" if is_source else ""
    kinds = {name: kind_of(name) for name in shown}
    if pattern:
        kinds |= {name: reader for name in shown if not PurePosixPath(name).suffix}
    if not shown:
        raise DataError(
            f"{expected}, found {first_few(names) or 'nothing'}. Put the files there, or correct "
            f"{'`path`' if is_source else 'the path'}."
        )
    if others := [name for name in shown if kinds[name] != reader]:
        count = len(shown) - len(others)
        found = f"{expected}, found {first_few(others)}{f' beside {count} that do' * (count > 0)}"
        only = {kinds[name] for name in others}
        raise DataError(f"{found}. {_cure(reader, only, count, is_source=is_source)}")
    return shown


def _refuse_tables(place: Path, names: Iterable[str]) -> None:
    """Raise DataError where only a log says which of the files count: others hold deleted rows."""
    for part in (part for name in names for part in PurePosixPath(name).parts[:-1]):
        if table := _TABLES.get(part):
            raise DataError(
                f"{place}: expected a folder of files that all count, found a {table} table "
                f"({part}), some of whose files may be deleted ones. Write its rows to files."
            )


def _is_aside(name: str, pattern: Sequence[str]) -> bool:
    """Return whether a file is hidden, as `.crc` and `_SUCCESS` are, or only describes the rows."""
    hidden = tuple(mark for mark in "._" if not any(part.startswith(mark) for part in pattern))
    parts = PurePosixPath(name).parts
    return any(part.startswith(hidden) for part in parts) or bool(_NO_ROWS.fullmatch(parts[-1]))


def _cure(reader: str, others: set[str], count: int, *, is_source: bool) -> str:
    """Return what to do about files of `others` kinds, beside `count` of the reader's."""
    if is_source and not count and len(others) == 1 and (kind := next(iter(others))):
        return f"Set reader: {kind}."
    pattern = f"FOLDER/**/*{ENDINGS[reader][0]}{'' if reader == 'parquet' else '*'}"
    if not is_source:
        return f"Name those of one kind by a pattern, such as {pattern}."
    return f"Read one kind: `path` with a pattern such as {pattern}, a source for each."


def _endings(reader: str) -> str:
    endings = ", ".join(ENDINGS[reader])
    return endings if reader == "parquet" else f"{endings} (or these and {', '.join(PACKED)})"


def choose_split(place: Path, names: Sequence[str], split: str) -> list[str]:
    """Return the files of a split where a folder holds several, as a copy of a hub data set does.

    Without several, `train` is all of them, as nobody may have asked for it.
    Raises: DataError where none is of that split, or where a file is of no split.
    """
    splits = {name: split_of(name) for name in names}
    held = sorted(set(splits.values()) - {""})
    wanted = _CANONICAL.get(split, split)
    if len(held) < 2 and wanted == "train":
        return list(names)
    chosen = [name for name in names if splits[name] == wanted]
    stray = [name for name in names if not splits[name]]
    if not chosen or stray:
        others = [f"none, {first_few(stray)}"] if stray else []
        found = " and, of ".join([", ".join(held), *others] if held else others)
        raise DataError(
            f"{place}: expected the split {split!r} (`split`), found files of {found}. Set `split` "
            "to one of them, or name the files by a pattern."
        )
    return chosen


def refuse_missing(place: Path, names: Iterable[str]) -> None:
    """Raise DataError where names say of how many files they are, as `a-00000-of-00003`, and one is
    missing."""
    numbers: dict[tuple[str, int], set[int]] = {}
    for name in names:
        path = PurePosixPath(name)
        if found := _SERIES.match(path.name):
            series = str(path.with_name(found[1])), int(found[3])
            numbers.setdefault(series, set()).add(int(found[2]))
    for (name, count), there in numbers.items():
        if len(there) < count:
            raise DataError(
                f"{place}: expected {count} files {name}-…-of-…, found {len(there)} of them. Fetch "
                "the others, or name those that are there by a pattern."
            )


def split_of(name: str) -> str:
    """Return the split that a file is of by its name, or by a folder around it; or nothing.

    >>> [split_of(name) for name in ("data/human-00000-of-00002.parquet", "dev/a.csv", "a.jsonl")]
    ['human', 'validation', '']
    >>> [split_of(name) for name in ("chat_train.csv", "split=test/0.csv", "trained.csv")]
    ['train', 'test', '']
    """
    path = PurePosixPath(name)
    stem = path.name.partition(".")[0]
    if numbered := _NUMBERED.fullmatch(stem):
        return _CANONICAL.get(numbered[1].lower(), numbered[1])
    parts = (stem, *reversed(path.parts[:-1]))
    words = (word for part in parts for word in re.split(r"[-._ 0-9=]+", part.lower()))
    return next((_CANONICAL[word] for word in words if word in _CANONICAL), "")


def first_few(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
