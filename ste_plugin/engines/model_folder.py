"""A model's folder, checked without loading it: is it whole and safe, what its adapter adapts."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

from ste_plugin.errors import EngineError, HostError
from ste_plugin.text.hub_id import may_be_hub_id

ADAPTER_CONFIG = "adapter_config.json"
EXPECTED_MODEL = (
    "Expected a folder with config.json, tokenizer and safetensors, an adapter's folder, or a hub "
    "id that can be reached from here."
)
_EXPECTED_BASE = "Set it to the folder or hub id of the model that the adapter was trained on."
_UNMERGED = ("lora_", "base_layer")
"""In the names of tensors that belong to an adapter."""
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_TOKENIZER_FILES = (
    *_VOCABULARIES,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.jinja",
)
_SAYS_OTHERWISE = ("special_tokens_map.json", "added_tokens.json", "chat_template.jinja")
"""Files of a tokenizer that, where they lie, are believed rather than `tokenizer_config.json`."""
_TOKENIZER_WORDS = ("token", "vocab", "spiece")
"""One of them is in the name of a tokenizer's file, of whatever kind."""
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_INDEX = "model.safetensors.index.json"
_MAX_HEADER_BYTES = 1 << 28


def require_loadable(path: str) -> None:
    """Return if a model's folder or hub id can be one that transformers and vLLM load.

    Raises: EngineError for a path that leads nowhere, or a folder without what makes a model.
    """
    if problem := explain_unloadable(path):
        raise EngineError(f"{path}: cannot be loaded as a model: {problem}.\n{EXPECTED_MODEL}")


def explain_unloadable(path: str) -> str:
    """Return why this is no model: a path to nothing, a folder that lacks something; else ''."""
    folder = Path(path)
    if not folder.is_dir():
        return "" if may_be_hub_id(path) else "no such folder"
    if base := adapter_base(folder):
        problem = explain_unloadable(base)
        return f"its base {base}: {problem}" if problem else _explain_weights(folder)
    return (
        _explain_config(folder / "config.json")
        or _explain_tokenizer(folder)
        or _explain_weights(folder)
    )


def _explain_config(path: Path) -> str:
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return "no config.json in it"
    except (OSError, ValueError):
        return "its config.json is not JSON"
    return "" if isinstance(config, dict) else "its config.json holds no settings"


def _explain_tokenizer(folder: Path) -> str:
    names = [path.name.lower() for path in folder.iterdir()]
    known = any(word in name for name in names for word in _TOKENIZER_WORDS)
    return "" if known else "no tokenizer in it (tokenizer.json, tokenizer.model or vocab.json)"


def _explain_weights(folder: Path) -> str:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        return "no weights in it as safetensors; others are pickles, which can run code"
    try:
        if (folder / _INDEX).is_file():
            _weight_files(folder)
        for path in weights:
            read_tensors(path)
    except HostError as error:
        return str(error).rstrip(".")
    return ""


def adapter_base(folder: Path) -> str | None:
    """Return what a folder of adapter weights alone adapts, a folder or a hub id; None for a model.

    axolotl leaves the base's config.json beside an adapter, so that one makes no model yet. A base
    that is named relative to the adapter's folder is looked for there.
    Raises: EngineError where its adapter_config.json does not say.
    """
    config = folder / ADAPTER_CONFIG
    if not config.is_file() or _is_model(folder):
        return None
    try:
        settings = json.loads(config.read_bytes())
    except ValueError as error:
        raise EngineError(f"{config}: not JSON. Copy the adapter again.") from error
    base = settings.get("base_model_name_or_path") if isinstance(settings, dict) else None
    if not base or not isinstance(base, str):
        raise EngineError(f"{config}: base_model_name_or_path: found {base!r}. {_EXPECTED_BASE}")
    beside = folder / base
    return str(beside) if beside.is_dir() else base


def tokenizer_of(path: str) -> str:
    """Return where the model's tokenizer lies: an adapter's folder need not hold one."""
    base = adapter_base(Path(path))
    own = (Path(path) / "tokenizer_config.json").is_file()
    return path if base is None or own else base


def _is_model(folder: Path) -> bool:
    weights = [path.name for path in folder.glob("*.safetensors")]
    return (folder / "config.json").is_file() and weights != ["adapter_model.safetensors"]


def refuse_pickles(folder: Path) -> None:
    """Raise HostError where a model's folder holds weights, and none as safetensors.

    Other weights are pickles, which can run code when they are loaded.
    """
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES)
    if pickles:
        raise HostError(
            f"{folder}: its weights are {', '.join(pickles[:3])}, which can run code when they are "
            "loaded; expected safetensors. Save the model once more where you trust it: "
            "model.save_pretrained(FOLDER)."
        )


def check_trained_model(folder: Path) -> None:
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
    for path in _weight_files(folder):
        _check_merged(path)


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(json.loads(config.read_bytes()).get("chat_template"))


def _weight_files(folder: Path) -> list[Path]:
    index = folder / _INDEX
    if index.is_file():
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
    else:
        shards = {"model.safetensors"}
    missing = sorted(shard for shard in shards if not (folder / shard).is_file())
    if missing:
        raise HostError(f"{folder}: weights are missing: {', '.join(missing)}.")
    return [folder / shard for shard in sorted(shards)]


def _check_merged(path: Path) -> None:
    unmerged = [name for name in read_tensors(path) if any(mark in name for mark in _UNMERGED)]
    if unmerged:
        raise HostError(f"{path}: the adapter is not merged (tensor {unmerged[0]!r}).")


def read_tensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a safetensors file by name, out of its header alone.

    Raises: HostError where the file is torn.
    """
    header, expected_bytes = _read_header(path)
    if path.stat().st_size != expected_bytes:
        raise HostError(
            f"{path}: torn, {path.stat().st_size} bytes where its header says {expected_bytes}. "
            "Copy it again; was the disk full?"
        )
    return header


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a safetensors file's tensors by name, and the bytes that the file must have."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, _MAX_HEADER_BYTES)))
        header.pop("__metadata__", None)
        ends = [tensor["data_offsets"][1] for tensor in header.values()]
    except (struct.error, ValueError, KeyError, AttributeError, TypeError) as error:
        raise HostError(
            f"{path}: not a safetensors file, or torn: its header cannot be read."
        ) from error
    return header, 8 + length + max(ends, default=0)


def copy_tokenizer(source: Path, target: Path) -> None:
    """Give `target` the tokenizer and chat template that training used.

    axolotl's merge copies the base model's, without the special tokens and chat template that the
    recipe set (axolotl 0.19). What transformers 5 saves no longer in a file of its own would go on
    being read from the base's.
    """
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copy2(source / name, target / name)
        elif name in _SAYS_OTHERWISE and (source / "tokenizer_config.json").is_file():
            (target / name).unlink(missing_ok=True)
