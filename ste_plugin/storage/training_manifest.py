"""The manifest of a finished training: written last, and trusted instead of an exit code."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from ste_plugin.errors import DataError
from ste_plugin.storage.jsonl import read_json

NAME = "trained.json"

_HOW_TO_RETRAIN = (
    "To train again: `ste run CONFIG --from train --iteration NUMBER`, which sets this one aside."
)
_WEIGHTS = (".safetensors", ".bin")
_DIGESTED = (*_WEIGHTS, ".json", ".jinja", ".model")
_EDGE_BYTES = 1 << 20
_PATH_KEYS = ("output_dir", "dataset_prepared_path", "base_model", "axolotl_config_path")


def config_sha256(config: Mapping[str, Any]) -> str:
    """Return the hash of an axolotl config's settings without its paths.

    The content of those paths is covered by the hashes of rows and base model beside it.
    """
    settings = {
        key: config[key] for key in config if key not in _PATH_KEYS and config[key] is not None
    }
    if isinstance(settings.get("ste"), Mapping):
        settings["ste"] = {k: v for k, v in settings["ste"].items() if k != "manifest"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def read_training_manifest(output: Path) -> dict[str, Any] | None:
    """Return the content of `trained.json` in a training's output folder, or None without one.

    Raises: DataError where it is not what a training writes.
    """
    path = output / NAME
    if not path.is_file():
        return None
    content = read_json(path)
    if not _is_manifest(content):
        raise DataError(f"{path}: not what a training writes. {_HOW_TO_RETRAIN}")
    return content


def _is_manifest(content: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON value has what is read of a training's manifest, in the right types."""
    if not isinstance(content, dict) or not {"final", "data_sha256"} <= content.keys():
        return False
    steps, seal = content.get("steps", 1), content.get("seal", {})
    return (
        isinstance(content["final"], str)
        and isinstance(content["data_sha256"], dict)
        and isinstance(seal, dict)
        and isinstance(steps, int)
        and not isinstance(steps, bool)
        and steps >= 0
    )


def find_trained_model(output: Path) -> Path | None:
    """Return the final, merged model in `output`, or None where no training has finished there.

    One that took no step has made no judge.
    Raises: DataError where its files are not those that the training wrote.
    """
    manifest = read_training_manifest(output)
    if manifest is None or manifest.get("steps") == 0:
        return None
    final = (output / str(manifest["final"])).resolve()
    if not final.is_dir():
        return None
    expected, digests = manifest.get("seal", {}), digest_files(final)
    changed = sorted(name for name in expected if digests.get(name) != expected[name])
    if changed:
        raise DataError(
            f"{final}: {', '.join(changed)} changed since the training ended, or missing. Put it "
            f"back. {_HOW_TO_RETRAIN}"
        )
    return final


def digest_files(folder: Path) -> dict[str, str]:
    """Return name → 16 hex digits for a model's files.

    Of weights only the size and both ends are hashed: enough to detect truncated, missing and
    exchanged files without reading 140 GB, but not a flipped bit in between.
    """
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name != NAME)
    return {p.name: _digest(p) for p in files if p.suffix in _DIGESTED}


def _digest(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_EDGE_BYTES if path.suffix in _WEIGHTS else -1)
        file.seek(max(0, size - _EDGE_BYTES))
        return hashlib.sha256(b"%d:%b:%b" % (size, start, file.read())).hexdigest()[:16]
