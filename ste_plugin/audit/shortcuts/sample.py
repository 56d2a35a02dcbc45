"""The pairs that are examined: those of the rows that a judge was trained on, or all of a pool."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.errors import DataError
from ste_plugin.pairs.pool_files import read_pool
from ste_plugin.records import ResponsePair, content_key
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest
from ste_plugin.storage.training_manifest import read_training_manifest

MAX_PAIRS = 10_000
"""Of more than that many pairs a sample is examined: by then the AUC is known to within 0.01."""


@dataclass(frozen=True, slots=True)
class PairSample:
    """Pairs to examine, all of an instruction's or none."""

    pairs: list[ResponsePair]
    total: int
    """Of how many they are drawn."""

    @property
    def strategies(self) -> list[str]:
        """How the worse answers were made."""
        return sorted({pair.strategy for pair in self.pairs})


def sample_pool(context: RunContext, keys: frozenset[str] | None = None) -> PairSample:
    """Return the training pairs of a run's pool, or those of some keys; a sample of many.

    Which ones depends on the seed and the instructions' keys alone.
    Raises: DataError where no pool was made, or it was changed.
    """
    folder, seed = context.folder.pool, context.config.seed
    if not (folder / "done.json").exists():
        raise DataError(f"{folder}: no pairs there yet. `ste run` or `ste generate` makes them.")
    pairs = read_pool(folder, context.config).pairs["train"]
    numbers: dict[str, list[int]] = {}
    for number, pair in enumerate(pairs):
        if keys is None or pair.key in keys:
            numbers.setdefault(pair.instruction_key, []).append(number)
    order = sorted(numbers, key=lambda key: content_key("audit", seed, key))
    total = sum(map(len, numbers.values()))
    return PairSample([pairs[n] for n in sorted(_take(order, numbers))], total)


def _take(order: list[str], numbers: dict[str, list[int]]) -> list[int]:
    taken: list[int] = []
    for key in order:
        if len(taken) + len(numbers[key]) > MAX_PAIRS:
            break
        taken += numbers[key]
    return taken


def trained_keys(context: RunContext, iteration: int) -> frozenset[str] | None:
    """Return the keys of the pairs in an iteration's training rows; None where it has no data set.

    Raises: DataError for rows of a plugin that do not name their pairs.
    """
    stages = range(1, len(context.config.training.recipe) + 1)
    folders = [context.folder.iteration(iteration, stage) for stage in stages] if iteration else []
    found = [folder for folder in folders if (folder / "dataset" / "manifest.json").exists()]
    return frozenset(key for folder in found for key in _pair_keys(folder)) if found else None


def _pair_keys(folder: Path) -> Iterator[str]:
    """Yield the keys of the pairs that one stage was, or would be, trained on."""
    manifest = read_manifest(folder / "dataset")
    for name in _training_files(folder, manifest):
        for where, row in manifest.rows(name):
            if not isinstance(row.get("pair"), str):
                raise DataError(
                    f"{where}: the row does not name its pair (`pair`, a key of pool/pairs.jsonl), "
                    "so what was trained on cannot be looked up."
                )
            yield row["pair"]


def _training_files(folder: Path, manifest: DatasetManifest) -> list[str]:
    """Return the files of rows that were trained on; before that, all that could be."""
    trained = read_training_manifest(folder / "model") or {}
    names = trained.get("data_sha256") or manifest.content["files"]
    return [name for name in names if name.endswith("-train") and manifest.count(name)]
