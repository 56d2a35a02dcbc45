"""Naming a model so that two sets of weights never share a request key."""

import hashlib
from pathlib import Path

from ste_plugin.config import ModelConfig

_PROBES, _PROBE_BYTES = 64, 4096


def model_path(model: ModelConfig, base: Path) -> str:
    """Return the model's folder if there is one beside the config, else its name as given."""
    folder = base / model.model
    return str(folder) if folder.is_dir() else model.model


def model_identity(model: ModelConfig, base: Path) -> str:
    """Return a name that changes with the weights: a fingerprint for folders, else name@revision."""
    folder = Path(model_path(model, base))
    if folder.is_dir():
        return f"folder:{fingerprint(folder)}"
    return f"{model.model}@{model.options.get('revision', 'main')}"


def fingerprint(folder: Path) -> str:
    """Return 16 hex digits of a model folder's configuration and of probes spread over its weights.

    64 probes of 4 KiB a file tell two trainings apart without reading 140 GB.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        size = path.stat().st_size
        if path.suffix == ".safetensors":
            digest.update(f"{path.name}:{size}".encode())
            with path.open("rb") as file:
                for probe in range(_PROBES):
                    file.seek(max(0, (size - _PROBE_BYTES) * probe // (_PROBES - 1)))
                    digest.update(file.read(_PROBE_BYTES))
        elif path.suffix in (".json", ".jinja"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
