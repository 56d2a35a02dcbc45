"""A judge's files as others need them: weights, configuration, tokenizer, chat template."""

import json
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Any

from ste_plugin.engines.model_folder import ADAPTER_CONFIG, adapter_base, refuse_pickles
from ste_plugin.errors import ConfigError, HostError
from ste_plugin.judging.calibration import NAME as CALIBRATION
from ste_plugin.publish.files import Content

_WANTED = (
    *("*.safetensors", "model.safetensors.index.json", "config.json", "generation_config.json"),
    *(ADAPTER_CONFIG, "tokenizer*.json", "tokenizer*.model", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "*.tiktoken"),
    *("chat_template.jinja", "chat_template.json", "*processor_config.json"),
    *("LICENSE*", "NOTICE*", CALIBRATION),
)
"""Anything else in a training's folder is its own: checkpoints, logs, pickles, code."""
_SETTINGS = ("config.json", "generation_config.json", ADAPTER_CONFIG, "tokenizer_config.json")
"""Files into which programs write where a model lay."""
_PATHS = ("_name_or_path", "name_or_path", "base_model_name_or_path", "tokenizer_file")


def collect_model(
    folder: Path, base: str, redact: Callable[[Any], Any]
) -> tuple[dict[str, Content], tuple[str, ...]]:
    """Return the files of a judge, and the names of what is left out.

    `base`: the hub id of the model that it was trained from, empty where there is none.
    Raises: ConfigError for an adapter whose base is a folder of this machine, and no hub id.
    """
    try:
        refuse_pickles(folder)
    except HostError as error:
        raise ConfigError(str(error)) from error
    of_adapter = adapter_base(folder)
    if of_adapter and Path(of_adapter).is_dir() and not base:
        raise ConfigError(
            f"{folder}: an adapter of {of_adapter}, which is a folder of this machine: nobody "
            "else could load it. Say what that is on a hub: --base ORG/NAME. Or train "
            "once more without `merge: false` in the recipe's `ste:` block."
        )
    files: dict[str, Content] = {}
    left_out = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in _WANTED):
            own = path.name in _SETTINGS
            files[path.name] = _portable(path, base or of_adapter or "", redact) if own else path
        else:
            left_out.append(path.name + "/" * path.is_dir())
    return files, tuple(left_out)


def _portable(path: Path, base: str, redact: Callable[[Any], Any]) -> Content:
    """Return settings without where anything lay on this machine; as they are where they are
    that."""
    try:
        settings = json.loads(path.read_bytes())
    except ValueError:
        return path
    if not isinstance(settings, dict):
        return path
    changed = redact({k: _name(k, v, base) for k, v in settings.items()})
    if changed == settings:
        return path
    return (json.dumps(changed, indent=2, ensure_ascii=False) + "\n").encode()


def _name(key: str, value: Any, base: str) -> Any:
    if key not in _PATHS or not isinstance(value, str) or not PurePath(value).is_absolute():
        return value
    return base if base and key != "tokenizer_file" else PurePath(value).name
