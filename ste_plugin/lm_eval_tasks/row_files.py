"""Where the rows of a benchmark come from: a file, a folder of files, or the hub."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources.files import require_text
from ste_plugin.instructions.sources.parquet import read_parquet
from ste_plugin.instructions.sources.readers import MalformedRow, read_csv
from ste_plugin.lm_eval_tasks.rows import Row
from ste_plugin.storage.jsonl import read_rows

ENDINGS = (".jsonl", ".json", ".csv", ".parquet")


def data_files(data: Path, name: str) -> list[Path]:
    """Return the files that hold a benchmark, one or several.

    `data` itself, or in that folder NAME.jsonl (or .json, .csv, .parquet), or all such files below
    the folder NAME.
    Raises: DataError where there is none, or more than one place to choose from.
    """
    if data.is_file():
        return [data]
    if not data.is_dir():
        raise DataError(
            f"{data}: no such file or folder. Correct the path: --data, evaluation.pairs or "
            "evaluation.data, or STE_JUDGE_DATA."
        )
    places = [data / f"{name}{ending}" for ending in ENDINGS]
    candidates = [[path] for path in places if path.is_file()]
    below = sorted(p for p in (data / name).rglob("*") if p.suffix in ENDINGS)
    candidates += [below] if below else []
    if len(candidates) != 1:
        found = ", ".join(str(files[0]) for files in candidates) or "neither such a file nor folder"
        raise DataError(
            f"{data}: expected {name}.jsonl (or .json, .csv, .parquet) or a folder {name} with "
            f"such files in it; found {found}. Put the benchmark's rows there, in one of these "
            "ways."
        )
    return candidates[0]


def file_rows(data: Path, name: str) -> Iterator[Row]:
    """Yield the rows of a benchmark's files in their order."""
    for path in data_files(data, name):
        root = data / name
        part = path.relative_to(root).with_suffix("").as_posix() if root in path.parents else ""
        for where, columns in _rows(path):
            yield Row(where, columns, part)


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where each row of a file is, and its columns."""
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
            yield where, row
    else:
        for number, row in read_rows(path):
            yield f"{path}:{number}", row


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise DataError(f"{path}: not JSON in UTF-8 ({error}). {_fix(error)}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        found = "a list of other things" if isinstance(rows, list) else f"one {type(rows).__name__}"
        raise DataError(
            f"{path}: expected one JSON list of objects, found {found}. Write [{{…}}, {{…}}], or "
            "one object per line into a file .jsonl."
        )
    for index, row in enumerate(rows):
        yield f"{path}#{index}", row


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
            yield Row(f"hub:{hub}/{split}#{index}", dict(row), split, hub=True)
