"""Telling a whole, loadable model folder from half of one, without loading it."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

from ste_plugin.errors import HostError

_LEFTOVERS = ("lora_", "base_layer")
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_TOKENIZER_FILES = (
    *_VOCABULARIES,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.jinja",
)


def copy_tokenizer(source: Path, target: Path) -> None:
    """Give `target` the tokenizer and chat template that training used.

    axolotl's merge copies the base model's, without the special tokens and chat template that the
    recipe set (axolotl 0.19).
    """
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copy2(source / name, target / name)


def refuse_pickles(folder: Path) -> None:
    """Raise HostError where a model's folder holds weights, and none as safetensors.

    Other weights are pickles, which can run code when they are loaded.
    """
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    kinds = (".bin", ".pt", ".pth", ".ckpt")
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in kinds)
    if pickles:
        raise HostError(
            f"{folder}: its weights are {', '.join(pickles[:3])}, which can run code when they are loaded; "
            "expected safetensors. Save the model once more where you trust it: "
            "model.save_pretrained(FOLDER)."
        )


def check_model(folder: Path) -> None:
    """Return if `folder` holds configuration, tokenizer, chat template and whole, merged weights.

    Raises: HostError naming what is missing or torn.
    """
    if not (folder / "config.json").is_file():
        raise HostError(f"{folder}: not a model, config.json is missing.")
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise HostError(f"{folder}: the tokenizer is missing ({' or '.join(_VOCABULARIES)}).")
    if not _has_chat_template(folder):
        raise HostError(
            f"{folder}: the tokenizer has no chat template, so nothing can ask this judge. Start "
            "from an instruction-tuned model, or set `chat_template:` in the recipe."
        )
    for path in _weights(folder):
        _check_weights(path)


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(json.loads(config.read_bytes()).get("chat_template"))


def _weights(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
    else:
        shards = {"model.safetensors"}
    missing = sorted(shard for shard in shards if not (folder / shard).is_file())
    if missing:
        raise HostError(f"{folder}: weights are missing: {', '.join(missing)}.")
    return [folder / shard for shard in sorted(shards)]


def _check_weights(path: Path) -> None:
    odd = [name for name in check_whole(path) if any(mark in name for mark in _LEFTOVERS)]
    if odd:
        raise HostError(f"{path}: the adapter is not merged (tensor {odd[0]!r}).")


def check_whole(path: Path) -> dict[str, Any]:
    """Return the tensors of a safetensors file by name. Raises: HostError where it is torn."""
    header, end = _header(path)
    if path.stat().st_size != end:
        raise HostError(
            f"{path}: torn, {path.stat().st_size} bytes where its header says {end}. "
            "Copy it again; was the disk full?"
        )
    return header


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the tensors of a safetensors file by name and the size that the file must have."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, 1 << 28)))
        header.pop("__metadata__", None)
        ends = [tensor["data_offsets"][1] for tensor in header.values()]
    except (struct.error, ValueError, KeyError, AttributeError, TypeError) as error:
        raise HostError(
            f"{path}: not a safetensors file, or torn: its header cannot be read."
        ) from error
    return header, 8 + length + max(ends, default=0)
