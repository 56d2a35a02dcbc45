"""Where the rows of a benchmark come from: a file, a folder of files, or the hub."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources.files import SourceFile
from ste_plugin.instructions.sources.folders import kind_of
from ste_plugin.instructions.sources.readers import MalformedRow, read_file_rows
from ste_plugin.instructions.sources.unpacking import (
    PACKED,
    open_unpacked,
    require_text,
    wrap_read_errors,
)
from ste_plugin.labelled.published_files import (
    ENDINGS,
    KINDS,
    Published,
    find_files,
    tell_left,
)
from ste_plugin.labelled.rows import Row


def file_rows(data: Path, name: str, published: Published | None = None) -> Iterator[Row]:
    """Yield the rows of a benchmark's files in their order; what else its folder holds is logged.

    Raises: DataError as `find_files`, or naming the file that cannot be read.
    """
    found = find_files(data, name, published)
    tell_left(name, found)
    for path, part in found.files:
        for where, columns, key in _rows(path):
            yield Row(where, columns, key or part, published=published is not None)


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield where each row of a file is, its columns, and under which key of an object it lies."""
    if not path.name.lower().endswith(ENDINGS):
        require_text(path)
        raise DataError(
            f"{path}: expected a name that ends in {', '.join(KINDS)} (texts also in "
            f"{', '.join(PACKED)}), found {path.suffix or 'none'!r}. Rename or convert the file."
        )
    kind = kind_of(path.name)
    if kind == "jsonl" and ".json" in map(str.lower, path.suffixes):
        yield from _json_rows(path)
        return
    for where, row in read_file_rows(kind, SourceFile(path, str(path))):
        if isinstance(row, MalformedRow):
            raise DataError(row.problem)
        yield where, row, ""


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield the rows of one list, or of an object of lists, with its key of each."""
    require_text(path)
    try:
        with wrap_read_errors(path), open_unpacked(path) as file:
            rows = json.loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise DataError(f"{path}: not JSON in UTF-8 ({error}). {_fix(error)}") from error
    by_key = isinstance(rows, dict) and rows and all(rows.values())
    lists = rows if by_key else {"": rows}
    if not all(map(_is_list_of_objects, lists.values())):
        found = "a list of other things" if isinstance(rows, list) else f"one {type(rows).__name__}"
        raise DataError(
            f"{path}: expected one JSON list of objects, found {found}. Write [{{…}}, {{…}}], or "
            "one object per line into a file .jsonl."
        )
    for key, listed in lists.items():
        for index, row in enumerate(listed):
            yield f"{path}#{key}/{index}" if key else f"{path}#{index}", row, key


def _is_list_of_objects(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def _fix(error: Exception) -> str:
    lines = "Extra data" in str(error)
    return "One object per line? Rename it to .jsonl." if lines else "Fix the file."


def hub_rows(
    hub: str, splits: Sequence[str], urls: Mapping[str, str], instead: str
) -> Iterator[Row]:
    """Yield the rows of a hub data set, split after split; or of JSON files by split, at `urls`.

    Raises: DataError where they cannot be had, ending with `instead`: which file would do.
    """
    try:
        import datasets
    except ImportError as error:
        raise ConfigError(
            f"hub:{hub} needs datasets ({error}). Install it: pip install 'ste-plugin[data]'"
        ) from error
    for split in splits:
        try:
            if urls:
                rows = datasets.load_dataset("json", data_files=dict(urls), split=split)
            else:
                rows = datasets.load_dataset(hub, split=split)
        # Not found, offline, no such split; unreadable; RuntimeError: the hub's copy is a script.
        except (OSError, ValueError, datasets.exceptions.DatasetsError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else ""
            raise DataError(
                f"hub:{hub} (split {split!r}): cannot be read ({type(error).__name__}: {reason}).\n"
                f"{instead}"
            ) from error
        for index, row in enumerate(rows):
            yield Row(f"hub:{hub}/{split}#{index}", dict(row), split, published=True)
