"""Which keys of a user's axolotl config the plugin sets, and which it refuses to touch."""

from collections.abc import Mapping
from typing import Any

from ste_plugin.axolotl import strategies
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.errors import ConfigError
from ste_plugin.storage.dataset_manifest import DatasetManifest, row_format_of_rl

Config = Mapping[str, Any]

TYPES = {
    "sft": "chat_template",
    "dpo": f"{strategies.MODULE}.dpo",
    "kto": f"{strategies.MODULE}.kto",
    "grpo": f"{strategies.MODULE}.grpo",
}
"""Row format → axolotl's `type` of the data set."""


def changes(cfg: Config, settings: STESettings, manifest: DatasetManifest) -> dict[str, Any]:
    """Return key → value of all that must be set in a config before axolotl validates it.

    Applied to its own result it changes nothing more.
    Raises: ConfigError where the user set one of the keys to something else.
    """
    rows = row_format_of_rl(cfg.get("rl"))
    found = data_changes(cfg, settings, manifest, rows)
    if rows == "kto" and settings.datasets != "off":
        found["remove_unused_columns"] = unless_set(cfg, "remove_unused_columns", False, _KTO)
    if rows == "grpo" and settings.datasets != "off":
        key = "shuffle_merged_datasets"
        found[key] = unless_set(cfg, key, False, _GRPO)
    if settings.select_best:
        found["load_best_model_at_end"] = True  # axolotl's validation would make it false
    return {key: value for key, value in found.items() if plain(cfg.get(key)) != value}


_KTO = "KTO reads the column `label`, which would be removed"
_GRPO = "GRPO's reward for both orders of a pair needs them side by side in a batch"


def data_changes(
    cfg: Config, settings: STESettings, manifest: DatasetManifest, rows: str
) -> dict[str, Any]:
    """Return the data sets to set.

    `replace` takes the place of all that says what is trained and evaluated on: `datasets`,
    `test_datasets` and `val_set_size`. `append` leaves the user's own as they are; held-out rows
    join them where there are test data sets, or where nothing is held out yet.
    """
    if settings.datasets == "off":
        return {}
    train = entry(manifest, f"{rows}-train")
    dev = [entry(manifest, f"{rows}-dev")] if manifest.count(f"{rows}-dev") else []
    if settings.datasets == "replace":
        return {"datasets": [train], "test_datasets": dev or None, "val_set_size": 0}
    found: dict[str, Any] = {"datasets": joined(cfg.get("datasets"), [train])}
    if cfg.get("test_datasets") or not cfg.get("val_set_size"):
        found["test_datasets"] = joined(cfg.get("test_datasets"), dev) or None
    return found


def entry(manifest: DatasetManifest, name: str) -> dict[str, Any]:
    """Return the entry of one of the manifest's files, as `datasets` holds it."""
    path, kind = str(manifest.file(name)), TYPES[name.partition("-")[0]]
    return {"path": path, "ds_type": "json", "type": kind, "split": "train"}


def joined(theirs: Any, ours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return their entries and those of ours that are not among them yet."""
    found = [plain(e) for e in theirs or []]
    paths = {e.get("path") for e in found}
    return found + [e for e in ours if e["path"] not in paths]


def unless_set(cfg: Config, key: str, wanted: Any, why: str) -> Any:
    """Return the value wanted. Raises: ConfigError where the user set another."""
    if cfg.get(key) not in (None, wanted):
        raise ConfigError(
            f"{key}: found {cfg.get(key)!r}, but {why}. Remove the key, or set {key}: {str(wanted).lower()}."
        )
    return wanted


def plain(value: Any) -> Any:
    """Return a value with axolotl's dictionaries made plain ones."""
    if isinstance(value, Mapping):
        return {k: plain(value[k]) for k in value if value[k] is not None}
    return [plain(v) for v in value] if isinstance(value, list) else value
