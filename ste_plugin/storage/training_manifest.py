"""The completion manifest of a training: written last, and trusted instead of an exit code."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.storage.jsonl import read_json

NAME = "trained.json"

_AGAIN = "To train it anew: `ste run CONFIG --from train --iteration NUMBER`, which keeps this one beside."
_WEIGHTS = (".safetensors", ".bin")
_SEALED = (*_WEIGHTS, ".json", ".jinja", ".model")
_END = 1 << 20
_PLACES = ("output_dir", "dataset_prepared_path", "base_model", "axolotl_config_path")


def config_sha256(config: Mapping[str, Any]) -> str:
    """Return the hash of an axolotl config's settings, wherever its files lie.

    What its paths lead to is told by the hashes of rows and base model beside it.
    """
    settings = {
        key: config[key] for key in config if key not in _PLACES and config[key] is not None
    }
    if isinstance(settings.get("ste"), Mapping):
        settings["ste"] = {k: v for k, v in settings["ste"].items() if k != "manifest"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def read_training_manifest(output: Path) -> dict[str, Any] | None:
    """Return what the completion manifest in a training's output folder says, or None without one.

    Raises: DataError where it is no such manifest.
    """
    path = output / NAME
    if not path.is_file():
        return None
    found = read_json(path)
    if not isinstance(found, dict) or not {"final", "data_sha256"} <= found.keys():
        raise DataError(f"{path}: not what a training writes. {_AGAIN}")
    return found


def find_trained_model(output: Path) -> Path | None:
    """Return the final, merged model in `output`, or None where no training has finished there.

    Raises: DataError where its files are not those that the training wrote.
    """
    done = read_training_manifest(output)
    if done is None:
        return None
    final = (output / str(done["final"])).resolve()
    if not final.is_dir():
        return None
    written, found = done.get("seal", {}), digest_files(final)  # trainings before 0.2 have none
    changed = sorted(name for name in written if found.get(name) != written[name])
    if changed:
        raise DataError(
            f"{final}: {', '.join(changed)} changed since the training ended, or gone. Put it back. "
            f"{_AGAIN}"
        )
    return final


def digest_files(folder: Path) -> dict[str, str]:
    """Return name → 16 hex digits of a model's files: of weights their size and both ends, else all.

    Enough to tell torn, lost and exchanged files without reading 140 GB; a flipped bit amid weights is
    not noticed.
    """
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name != NAME)
    return {p.name: _sealed(p) for p in files if p.suffix in _SEALED}


def _sealed(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_END if path.suffix in _WEIGHTS else -1)
        file.seek(max(0, size - _END))
        return hashlib.sha256(b"%d:%b:%b" % (size, start, file.read())).hexdigest()[:16]
