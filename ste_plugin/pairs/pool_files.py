"""The files of a pool: pairs by split, held-out pairs, and the check that they belong together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ste_plugin.config import RunConfig
from ste_plugin.errors import DataError
from ste_plugin.pairs.strategies import pair_key
from ste_plugin.records import Drop, ResponsePair, Split, content_key, key_of_rows
from ste_plugin.storage.drop_log import count_reasons
from ste_plugin.storage.jsonl import (
    iter_record_starts,
    iter_records,
    read_derived_json,
    read_rows,
    replace_rows,
)
from ste_plugin.storage.record_sequence import RecordSequence
from ste_plugin.storage.run_layout import RunLayout

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
HELD_OUT: tuple[Split, ...] = ("dev", "test")


@dataclass(frozen=True, slots=True)
class Pool:
    """What all iterations share."""

    pairs: dict[Split, RecordSequence[ResponsePair]]
    files: dict[str, Path]
    """`dev` and `test`: labelled pairs as evaluation reads them."""
    drops: dict[str, int]
    """`STAGE: REASON` → how many instructions and pairs were left out."""
    kept_out: dict[str, Any]
    """What is measured on, and how many instructions repeat it; empty in pools made before."""
    ended_by_budget: bool = False
    """Whether pairs are missing that the budget left no tokens or minutes for."""


def split_of(split_key: str, config: RunConfig) -> Split:
    """Return where everything made from an instruction, or a conversation, belongs, in every
    iteration.

    Decided by the key and the run's seed alone, so that a larger pool moves no instruction.
    """
    position = int(content_key("split", config.seed, split_key), 16) / 16**16
    if position < config.dataset.test_fraction:
        return "test"
    if position < config.dataset.test_fraction + config.dataset.dev_fraction:
        return "dev"
    return "train"


class Splits:
    """The pairs of each split, added as they are written to their file or read from it."""

    def __init__(self, path: Path, config: RunConfig) -> None:
        self._config = config
        self.pairs: dict[Split, RecordSequence[ResponsePair]] = {
            name: RecordSequence(path, ResponsePair) for name in SPLITS
        }

    def add(self, pair: ResponsePair, start: int) -> None:
        """Add the pair whose line starts at a byte offset of the file."""
        self.pairs[split_of(pair.split_key, self._config)].add(start)


def write_held_out(folder: Path, splits: Mapping[Split, Sequence[ResponsePair]]) -> dict[str, str]:
    """Write the labelled pairs of dev and test; return split → file, named by its content.

    A split without pairs has no file; those of a pool that was there before go.
    """
    files = {}
    for name in HELD_OUT:
        for old in folder.glob(f"{name}-*.jsonl"):
            old.unlink()
        if splits[name]:
            files[str(name)] = f"{name}-{key_of_rows(_held_out_rows(splits[name]))}.jsonl"
            replace_rows(folder / files[name], _held_out_rows(splits[name]))
    return files


def is_settled(run: RunLayout) -> bool:
    """Return whether there is a pool that stays as it is.

    One that the budget cut short is completed by a higher one, until a data set is made of it:
    iterations after that would be measured on other pairs than those before.
    """
    done = run.pool / "done.json"
    if not done.exists():
        return False
    cut = read_derived_json(done, _parse_done)["ended_by_budget"]
    return not cut or any(run.root.glob("iter-*/dataset/manifest.json"))


def read_pool(folder: Path, config: RunConfig) -> Pool:
    """Return a finished pool; its pairs stay in their file.

    Raises: DataError for a file that was changed since `done.json` was written.
    """
    done = read_derived_json(folder / "done.json", _parse_done)
    splits = Splits(folder / "pairs.jsonl", config)
    for pair, start in iter_record_starts(folder / "pairs.jsonl", ResponsePair):
        splits.add(pair, start)
        if pair.key != pair_key(pair):
            _raise_changed(folder, "pairs.jsonl", f"pair {pair.key!r} is not what its key says")
    pairs = splits.pairs
    _check_counts(folder, done, pairs)
    _check_held_out(folder, done, pairs)
    files = {name: folder / file for name, file in done["files"].items()}
    return Pool(pairs, files, done["drops"], done["kept_out"], done["ended_by_budget"])


def _parse_done(done: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `done.json` says about the other files, and whether the budget ended it."""
    return {
        **{name: dict(done[name]) for name in ("pairs", "drops", "files")},
        "kept_out": dict(done.get("kept_out", {})),
        "ended_by_budget": bool(done.get("ended_by_budget")),
    }


def _check_counts(
    folder: Path, done: Mapping[str, Any], pairs: Mapping[Split, Sequence[ResponsePair]]
) -> None:
    counts = {name: len(index) for name, index in pairs.items()}
    if counts != done["pairs"]:
        _raise_changed(folder, "pairs.jsonl", f"{counts} pairs, expected {done['pairs']}")
    if count_reasons(iter_records(folder / "drops.jsonl", Drop)) != done["drops"]:
        _raise_changed(folder, "drops.jsonl", "other drops than done.json counts")


def _check_held_out(
    folder: Path, done: Mapping[str, Any], pairs: Mapping[Split, Sequence[ResponsePair]]
) -> None:
    for name, file in done["files"].items():
        expected = _held_out_rows(pairs.get(name, ()))
        rows = (row for _, row in read_rows(folder / file))
        if any(row != other for row, other in zip_longest(rows, expected)):
            _raise_changed(folder, file, "other pairs than pairs.jsonl has")


def _raise_changed(folder: Path, file: str, problem: str) -> None:
    raise DataError(
        f"{folder / file}: changed since it was written ({problem}). Derived file: put it back "
        f"from a copy. Or, where no source of instructions has changed, remove it and "
        f"{folder / 'done.json'}, and run the same command again; where one has, all else is made "
        "anew, too: `ste run CONFIG --from pool`. Nothing is paid for twice."
    )


def _held_out_rows(pairs: Iterable[ResponsePair]) -> Iterator[dict[str, Any]]:
    """Yield the pairs as evaluation reads them."""
    return (
        {
            **pair.columns,
            "id": pair.key,
            "subset": pair.strategy,
            "prompt": pair.instruction,
            "chosen": pair.better,
            "rejected": pair.worse,
        }
        for pair in pairs
    )
