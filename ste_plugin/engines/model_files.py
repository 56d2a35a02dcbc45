"""Whether what a config calls a model can be one, before libraries that take seconds to load are."""

import json
from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines.identity import adapter_base, model_path
from ste_plugin.engines.model_folder import check_whole
from ste_plugin.errors import EngineError, HostError

EXPECTED = (
    "Expected a folder with config.json, tokenizer and safetensors, an adapter's folder, or a hub id "
    "that can be reached from here."
)
_TOKENIZER_WORDS = ("token", "vocab", "spiece")
"""One of them is in the name of a tokenizer's file, of whatever kind."""


def usable_path(model: ModelConfig, base: Path) -> str:
    """Return the model's folder if there is one beside the config, else its hub id.

    Raises: EngineError for a path that leads nowhere, or a folder without what makes a model.
    """
    path = model_path(model, base)
    if problem := what_is_wrong(path):
        raise EngineError(f"{path}: cannot be loaded as a model: {problem}.\n{EXPECTED}")
    return path


def what_is_wrong(path: str) -> str:
    """Return why this is no model: the path of nothing, or a folder that lacks something; or ''."""
    folder = Path(path)
    if not folder.is_dir():
        is_hub_id = path.count("/") <= 1 and not path.startswith((".", "/", "~"))
        return "" if is_hub_id else "no such folder"
    if base := adapter_base(folder):
        problem = what_is_wrong(base)
        return f"its base {base}: {problem}" if problem else _wrong_weights(folder)
    return _wrong_config(folder / "config.json") or _wrong_parts(folder) or _wrong_weights(folder)


def _wrong_config(path: Path) -> str:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return "no config.json in it"
    except (OSError, ValueError):
        return "its config.json is not JSON"
    return "" if isinstance(found, dict) else "its config.json holds no settings"


def _wrong_parts(folder: Path) -> str:
    names = [path.name.lower() for path in folder.iterdir()]
    known = any(word in name for name in names for word in _TOKENIZER_WORDS)
    return "" if known else "no tokenizer in it (tokenizer.json, tokenizer.model or vocab.json)"


def _wrong_weights(folder: Path) -> str:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        return "no weights in it as safetensors; others are pickles, which can run code"
    try:
        for path in weights:
            check_whole(path)
    except HostError as error:
        return str(error).rstrip(".")
    return ""
