"""The held-out pairs of a run on disk: those that chose its judge, and those that measure it."""

from collections.abc import Mapping
from pathlib import Path

from ste_plugin.errors import DataError
from ste_plugin.storage.jsonl import read_json, read_rows
from ste_plugin.storage.run_layout import RunLayout

CHOOSING = "dev"
"""The split that chooses a run's iteration and its judge's temperature."""
_DONE = "done.json"
_ABOVE = 5
"""So many folders up a run is looked for."""


def held_out_files(pool: Path) -> dict[str, Path]:
    """Return split → file of a pool's held-out pairs; nothing where it is no pool."""
    done = pool / _DONE
    said = read_json(done) if done.is_file() else None
    files = said.get("files") if isinstance(said, Mapping) else None
    if not isinstance(files, Mapping):  # some other tool's, beside labels of one's own
        return {}
    return {name: pool / str(file) for name, file in files.items() if (pool / str(file)).is_file()}


def is_of_pool(labels: Path) -> bool:
    """Return whether a file is one of a run's held-out pairs, which nobody labelled."""
    found = held_out_files(labels.parent).values()
    return labels.resolve() in {file.resolve() for file in found}


def ids_that_chose(*places: Path) -> set[str]:
    """Return the ids of the pairs by which the judges of the runs around some paths were chosen."""
    pools = {pool for place in places if (pool := _pool_around(place))}
    files = [file for pool in pools if (file := held_out_files(pool).get(CHOOSING))]
    return {str(row.get("id")) for file in files for _, row in read_rows(file)}


def _pool_around(place: Path) -> Path | None:
    whole = place.resolve()
    pools = (RunLayout(folder).pool for folder in (whole, *whole.parents)[:_ABOVE])
    return next(filter(held_out_files, pools), None)


def all_chose(labels: Path, count: int) -> DataError:
    """Return the error for labels that are all of pairs that chose the judge."""
    return DataError(
        f"{labels}: {count} pairs, all of them dev pairs of a run, which chose its judge and its "
        "temperature: nothing can be promised by them, whoever labelled them. Label its test "
        "pairs, `ste review RUN --split test`, or give other pairs that people labelled."
    )
