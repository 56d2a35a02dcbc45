"""Which keys of a user's axolotl config the plugin sets, and which it refuses to touch."""

from collections.abc import Mapping
from typing import Any

from ste_plugin.axolotl import strategies
from ste_plugin.axolotl.settings import AxolotlConfig, STESettings
from ste_plugin.errors import ConfigError
from ste_plugin.storage.dataset_manifest import DatasetManifest, row_format_of_rl

TYPES = {
    "sft": "chat_template",
    "dpo": f"{strategies.MODULE}.dpo",
    "kto": f"{strategies.MODULE}.kto",
    "grpo": f"{strategies.MODULE}.grpo",
}
"""Row format → axolotl's `type` of the data set."""


def changes(cfg: AxolotlConfig, settings: STESettings, manifest: DatasetManifest) -> dict[str, Any]:
    """Return key → value of all that must be set in a config before axolotl validates it.

    Applied to its own result it changes nothing more.
    Raises: ConfigError where the user set one of the keys to something else.
    """
    rows = row_format_of_rl(cfg.get("rl"))
    keys = data_changes(cfg, settings, manifest, rows)
    if rows in _NEEDED and settings.datasets != "off":
        key, value, why = _NEEDED[rows]
        keys[key] = unless_set(cfg, key, value, why)
    if settings.select_best:
        keys["load_best_model_at_end"] = True  # axolotl's validation would make it false
    return {key: value for key, value in keys.items() if to_builtins(cfg.get(key)) != value}


_NEEDED = {
    "kto": (
        "remove_unused_columns",
        False,
        "KTO reads the column `label`, which would be removed",
    ),
    "grpo": (
        "shuffle_merged_datasets",
        False,
        "GRPO's reward for both orders of a pair needs them side by side in a batch",
    ),
}
"""Row format → a key, the value it must have, and why."""


def data_changes(
    cfg: AxolotlConfig, settings: STESettings, manifest: DatasetManifest, rows: str
) -> dict[str, Any]:
    """Return the keys that say which data sets to train and evaluate on.

    `replace` sets them all: `datasets`, `test_datasets` and `val_set_size`. `append` leaves the
    user's own as they are; held-out rows are added where there are test data sets, or where nothing
    is held out yet.
    """
    if settings.datasets == "off":
        return {}
    train = entry(manifest, f"{rows}-train")
    dev = [entry(manifest, f"{rows}-dev")] if manifest.count(f"{rows}-dev") else []
    if settings.datasets == "replace":
        return {"datasets": [train], "test_datasets": dev or None, "val_set_size": 0}
    keys: dict[str, Any] = {"datasets": append_missing(cfg.get("datasets"), [train])}
    if cfg.get("test_datasets") or not cfg.get("val_set_size"):
        keys["test_datasets"] = append_missing(cfg.get("test_datasets"), dev) or None
    return keys


def entry(manifest: DatasetManifest, name: str) -> dict[str, Any]:
    """Return the entry of one of the manifest's files, as `datasets` holds it."""
    path, kind = str(manifest.file(name)), TYPES[name.partition("-")[0]]
    return {"path": path, "ds_type": "json", "type": kind, "split": "train"}


def append_missing(entries: Any, added: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a config's entries, then those to add that are not among them yet."""
    existing = [to_builtins(e) for e in entries or []]
    paths = {e.get("path") for e in existing}
    return existing + [e for e in added if e["path"] not in paths]


def unless_set(cfg: AxolotlConfig, key: str, wanted: Any, why: str) -> Any:
    """Return the value wanted. Raises: ConfigError where the user set another."""
    if cfg.get(key) not in (None, wanted):
        raise ConfigError(
            f"{key}: found {cfg.get(key)!r}, but {why}. Remove the key, or set {key}: "
            f"{str(wanted).lower()}."
        )
    return wanted


def to_builtins(value: Any) -> Any:
    """Return a value with axolotl's dictionaries made plain ones."""
    if isinstance(value, Mapping):
        return {k: to_builtins(value[k]) for k in value if value[k] is not None}
    return [to_builtins(v) for v in value] if isinstance(value, list) else value
