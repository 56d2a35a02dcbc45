"""Which keys of a user's axolotl config the plugin sets, and which it refuses to touch."""

from collections.abc import Mapping
from typing import Any

from ste_plugin.axolotl.checkpoints import saving_keys
from ste_plugin.axolotl.data_keys import dropped_keys
from ste_plugin.axolotl.model_layers import wrapping_changes
from ste_plugin.axolotl.settings import AxolotlConfig, STESettings, unless_set
from ste_plugin.axolotl.strategies import TYPES, rendering
from ste_plugin.errors import ConfigError
from ste_plugin.storage.dataset_manifest import DatasetManifest, row_format_of_rl


def changes(cfg: AxolotlConfig, settings: STESettings, manifest: DatasetManifest) -> dict[str, Any]:
    """Return key → value of all that must be set in a config before axolotl validates it.

    Applied to its own result it changes nothing more.
    Raises: ConfigError where the user set one of the keys to something else.
    """
    rows = row_format_of_rl(cfg.get("rl"))
    keys = data_changes(cfg, settings, manifest, rows)
    if settings.datasets != "off":
        keys |= template_changes(cfg, manifest.chat_template_kwargs) | needed_changes(cfg)
    keys |= wrapping_changes(cfg) | ray_changes(cfg)
    if metric := settings.select_best:
        keys["load_best_model_at_end"] = True  # axolotl's validation would make it false
        keys["metric_for_best_model"] = f"eval_{metric}"  # without, it refuses save_strategy: best
        keys |= saving_keys(cfg)
    return {key: value for key, value in keys.items() if to_builtins(cfg.get(key)) != value}


_MISMATCHED = (
    "KTO estimates its KL term from judgments of other prompts in a batch, and unshuffled the two "
    "judgments of a prompt stand side by side"
)
_NEEDED = {
    "kto": (
        (
            "remove_unused_columns",
            False,
            "KTO reads the column `label`, which would be removed",
        ),
        ("shuffle_merged_datasets", True, _MISMATCHED),
        ("curriculum_sampling", False, _MISMATCHED),  # a single data set stays unshuffled (0.19)
    ),
    "grpo": (
        (
            "shuffle_merged_datasets",
            False,
            "GRPO's reward for both orders of a pair needs them side by side in a batch",
        ),
    ),
}
"""Row format → keys, the value that each must have, and why."""


def needed_changes(cfg: AxolotlConfig) -> dict[str, Any]:
    """Return the keys without which a config's rows are trained on wrongly.

    Raises: ConfigError where the user set one of them to something else.
    """
    needed = _NEEDED.get(row_format_of_rl(cfg.get("rl")), ())
    return {key: unless_set(cfg, key, value, why) for key, value, why in needed}


def data_changes(
    cfg: AxolotlConfig, settings: STESettings, manifest: DatasetManifest, rows: str
) -> dict[str, Any]:
    """Return the keys that say which data sets to train and evaluate on.

    `replace` sets them all: `datasets`, `test_datasets` and `val_set_size`, and leaves out what
    says how others are read. `append` leaves the user's own as they are and adds to each.
    """
    if settings.datasets == "off":
        return {}
    by_pairs = settings.decision is not None
    train = entry(manifest, f"{rows}-train", by_pairs=by_pairs)
    has_dev = bool(manifest.count(f"{rows}-dev"))
    dev = [entry(manifest, f"{rows}-dev", by_pairs=by_pairs)] if has_dev else []
    if settings.datasets == "replace":
        ours = {"datasets": [train], "test_datasets": dev or None, "val_set_size": 0}
        return ours | dropped_keys(cfg) | packing_changes(cfg)
    return {
        "datasets": append_missing(cfg.get("datasets"), [train]),
        "test_datasets": append_missing(cfg.get("test_datasets"), dev) or None,
    }


def packing_changes(cfg: AxolotlConfig) -> dict[str, Any]:
    """Return the key without which axolotl refuses held-out rows of less than a pack."""
    return {"eval_sample_packing": False} if cfg.get("sample_packing") else {}


def ray_changes(cfg: AxolotlConfig) -> dict[str, Any]:
    """Return the key without which Ray's workers train as many epochs as there are workers each.

    Where it is not set, axolotl sets it to false on the driver, which is a single process, and
    counts the workers' steps by that (0.19, 0.21).
    """
    several = cfg.get("use_ray") and (cfg.get("ray_num_workers") or 1) > 1
    return {"ddp": True} if several and cfg.get("ddp") is None else {}


KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")


def kernel_changes(cfg: AxolotlConfig, gpu: bool) -> dict[str, Any]:
    """Return the keys without which the first step of a LoRA fails where there is no GPU.

    axolotl turns its fused kernels on unless one of their keys is set, and they run on CUDA alone
    (0.19, 0.21).
    """
    left_open = all(cfg.get(key) is None for key in KERNELS)
    turned_on = cfg.get("adapter") in ("lora", "qlora") and not cfg.get("rl") and left_open
    return dict.fromkeys(KERNELS[:3], False) if turned_on and not gpu else {}


def template_changes(cfg: AxolotlConfig, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the chat template is given beside the turns, which is what the judge is given.

    Raises: ConfigError where the user gives it something else.
    """
    for where, keys in (("", cfg), ("trl.", cfg.get("trl") or {})):
        found = to_builtins(keys.get("chat_template_kwargs"))
        if found and found != wanted:
            raise ConfigError(
                f"{where}chat_template_kwargs: found {found!r}, but this data set's judge is asked "
                f"with {wanted!r}. Remove the key here, or generate the data set with "
                f"judge.chat_template_kwargs: {found!r}."
            )
    return {"chat_template_kwargs": dict(wanted)} if wanted else {}


def entry(manifest: DatasetManifest, name: str, *, by_pairs: bool = False) -> dict[str, Any]:
    """Return the entry of one of the manifest's files, as `datasets` holds it.

    axolotl ignores the revision of a file, but keeps what it prepared by it.
    """
    return {
        "path": str(manifest.file(name)),
        "ds_type": "json",
        "type": TYPES[name.partition("-")[0]],
        "split": "train",
        "revision": rendering(manifest, by_pairs=by_pairs),
    }


def append_missing(entries: Any, added: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a config's entries, then those to add that are not among them yet."""
    existing = [to_builtins(e) for e in entries or []]
    paths = {e.get("path") for e in existing}
    return existing + [e for e in added if e["path"] not in paths]


def to_builtins(value: Any) -> Any:
    """Return a value with axolotl's dictionaries made plain ones."""
    if isinstance(value, Mapping):
        return {k: to_builtins(value[k]) for k in value if value[k] is not None}
    return [to_builtins(v) for v in value] if isinstance(value, list) else value
