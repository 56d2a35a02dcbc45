"""From a recipe to the config that axolotl gets: model, data, output folder and seed laid over it."""

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.store import read_json

TRAIN, DEV = "STE_TRAIN", "STE_DEV"
"""What a recipe writes as `path` of the data set that a run fills in."""

_PREFERENCE = ("dpo", "ipo", "orpo", "simpo")
_NEEDS_DEV = (
    "evals_per_epoch",
    "eval_steps",
    "eval_strategy",
    "early_stopping_patience",
    "load_best_model_at_end",
    "metric_for_best_model",
)
"""Keys that axolotl refuses, or that do nothing, where there are no test data sets."""


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """The rows that one training reads, their hashes verified."""

    train: Path
    dev: Path | None
    """None where no row was held out."""
    sha256: dict[str, str]
    """Name in the manifest → SHA-256 of the file."""


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the settings of a recipe.

    Raises: ConfigError where it cannot be read, is not YAML, or not a mapping.
    """
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path}: expected an axolotl config (keys and values).")
    return recipe


def row_format(recipe: dict[str, Any]) -> Literal["sft", "dpo"]:
    """Return which rows a recipe trains on, by its `rl:`.

    Raises: ConfigError where it trains on neither examples nor preferences.
    """
    rl = recipe.get("rl")
    if rl is None:
        return "sft"
    if rl in _PREFERENCE:
        return "dpo"
    raise ConfigError(
        f"rl: {rl} needs rows that are not made here. Leave `rl` out to train on judgments, or use "
        f"one of {', '.join(_PREFERENCE)} to train on preferences."
    )


def overlay(
    recipe: dict[str, Any], *, model: str, train: Path, dev: Path | None, output: Path, seed: int
) -> dict[str, Any]:
    """Return the recipe with model, data, output folder and seed set; all else is the recipe's own.

    The entry `path: STE_TRAIN` of `datasets` and, where present, `path: STE_DEV` of `test_datasets`
    become the run's files; further entries stay. Without dev rows the STE_DEV entry goes, and with
    the last test data set the keys that evaluate during training. What axolotl prepares lands beside
    `output`, and nothing is split off the training rows.

    Raises: ConfigError where `datasets` has no STE_TRAIN entry.
    """
    config = copy.deepcopy(recipe)
    config["datasets"] = _filled(config.get("datasets"), TRAIN, train)
    tests = [d for d in config.pop("test_datasets", None) or [] if dev or d.get("path") != DEV]
    if dev and any(d.get("path") == DEV for d in tests):
        tests = _filled(tests, DEV, dev)
    if tests:
        config["test_datasets"] = tests
    else:
        for key in _NEEDS_DEV:
            config.pop(key, None)
    return config | {
        "base_model": model,
        "output_dir": str(output),
        "dataset_prepared_path": str(output.parent / "prepared"),
        "val_set_size": 0,
        "seed": seed,
    }


def _filled(entries: Any, placeholder: str, path: Path) -> list[dict[str, Any]]:
    entries = entries if isinstance(entries, list) else []
    filled = [
        {**e, "path": str(path), "ds_type": "json"} if e.get("path") == placeholder else e
        for e in entries
        if isinstance(e, dict)
    ]
    if filled == entries:
        raise ConfigError(
            f"The recipe's `datasets` does not say where this run's rows go. Write\n"
            f"datasets:\n  - path: {placeholder}\n    type: chat_template\n"
            "(for `rl: dpo`, type: chat_template.default); other data sets may stand beside it."
        )
    return filled


def files_of(manifest: Path, rows: Literal["sft", "dpo"]) -> TrainingFiles:
    """Return the files of a data set manifest that training reads.

    Raises: DataError where one is missing, empty, or not the file that the manifest was written for.
    """
    files = read_json(manifest).get("files", {})
    train, held_out = files.get(f"{rows}-train"), files.get(f"{rows}-dev")
    if train is None:
        raise DataError(
            f"{manifest}: no {rows!r} rows, which the recipe trains on; it has {', '.join(files)}. "
            f"Add {rows} to dataset.formats, or choose another recipe."
        )
    if train["rows"] == 0:
        raise DataError(
            f"{manifest}: the {rows!r} training file has no row; see `drops` there for why."
        )
    used = {f"{rows}-train": train}
    if held_out is not None and held_out["rows"] > 0:
        used[f"{rows}-dev"] = held_out
    paths = {name: _verified(manifest, entry) for name, entry in used.items()}
    return TrainingFiles(
        paths[f"{rows}-train"],
        paths.get(f"{rows}-dev"),
        {name: entry["sha256"] for name, entry in used.items()},
    )


def _verified(manifest: Path, entry: dict[str, Any]) -> Path:
    # absolute: axolotl takes a relative path that it does not find for a name on the hub
    path = Path(manifest.parent / entry["path"]).resolve()
    if not path.is_file():
        raise DataError(f"{path}: no such file, though {manifest} names it. {_AGAIN}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != entry["sha256"]:
        raise DataError(
            f"{path}: changed since {manifest.name} was written (SHA-256 {found[:12]}, expected "
            f"{entry['sha256'][:12]}). {_AGAIN}"
        )
    return path


_AGAIN = "Delete the manifest and generate the data set again."
