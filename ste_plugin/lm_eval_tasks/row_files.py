"""Where the rows of a benchmark come from: a file, a folder of files, or the hub."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources.files import require_text
from ste_plugin.instructions.sources.parquet import read_parquet
from ste_plugin.instructions.sources.readers import MalformedRow, read_csv
from ste_plugin.lm_eval_tasks.published_files import ENDINGS, Published, find_files, tell_left
from ste_plugin.lm_eval_tasks.rows import Row
from ste_plugin.storage.jsonl import parse_line, read_rows


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
    if path.name.endswith(".jsonl.gz"):
        yield from ((where, row, "") for where, row in _packed_rows(path))
        return
    if path.suffix != ".parquet":
        require_text(path)
    if path.suffix not in ENDINGS:
        raise DataError(
            f"{path}: expected a name that ends in {', '.join(ENDINGS)}, found "
            f"{path.suffix or 'none'!r}. Rename or convert the file."
        )
    if path.suffix == ".json":
        yield from _json_rows(path)
    elif path.suffix in (".csv", ".parquet"):
        reader = read_csv if path.suffix == ".csv" else read_parquet
        for where, row in reader(SourceConfig(path=str(path)), Path()):
            if isinstance(row, MalformedRow):
                raise DataError(row.problem)
            yield where, row, ""
    else:
        for number, row in read_rows(path):
            yield f"{path}:{number}", row, ""


def _packed_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with gzip.open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", parse_line(path, number, line)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}). Fetch the file again.") from error


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield the rows of one list, or of an object of lists, with its key of each."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
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
