"""From a recipe to the config that axolotl gets, with model, manifest, output and seed set."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.axolotl.settings import SEQUENCE_LEN, STESettings
from ste_plugin.errors import ConfigError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.storage.config_file import changed_fields
from ste_plugin.storage.dataset_manifest import DatasetManifest, row_format_of_rl
from ste_plugin.text import safe_yaml
from ste_plugin.text.settings_errors import validate_settings

PLUGIN = "ste_plugin.axolotl.STEPlugin"

_NEEDS_HELD_OUT_ROWS = (
    "evals_per_epoch",
    "eval_steps",
    "eval_strategy",
    "early_stopping_patience",
    "load_best_model_at_end",
    "metric_for_best_model",
)
"""Keys that axolotl refuses, or that do nothing, where there is nothing to evaluate on."""
_OPTIONS = ("debug", "debug_text_only", "debug_num_examples", "shard")
"""Options of `axolotl train` that reach the config with their defaults, through a launcher."""

_SET_BY_RUN = ("base_model", "output_dir", "dataset_prepared_path", "seed", "revision_of_model")


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the settings of a recipe.

    Raises: ConfigError where it cannot be read, is not YAML, or not a mapping.
    """
    recipe = safe_yaml.read(
        path, "Give the path of an axolotl config, or a name (`ste recipes list`)"
    )
    for key, kind, expected in (
        ("plugins", list, "a list ([a, b])"),
        ("ste", dict, "settings (key: value)"),
    ):
        value = recipe.get(key)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(
                f"{path}: {key}: found {value!r}; expected {expected}. Correct it there."
            )
    return recipe


def config_as_given(cfg: Any) -> Mapping[str, Any]:
    """Return axolotl's config as it was given, before axolotl or our plugin changed it.

    A launcher adds options to it that nobody gave, and Ray's workers get what has become of it on
    the driver (0.19, 0.21): there it is read from its file.
    """
    path = Path(cfg.get("axolotl_config_path") or "")
    written = read_recipe(path) if path.is_file() else None
    if written is not None and cfg.get("use_ray"):
        return written
    given: dict[str, Any] = cfg.to_dict()
    added = [k for k in _OPTIONS if not given.get(k) and k not in (written or given)]
    return {key: given[key] for key in given if key not in added}


def check_own_block(recipe: dict[str, Any], path: Path) -> None:
    """Raise ConfigError for a wrong key or value in a recipe's block `ste:`."""
    own = recipe.get("ste") or {}
    validate_settings(STESettings, {"manifest": "set later", **own}, f"{path}: ste")


def longest_row(recipe: Mapping[str, Any]) -> int | None:
    """Return how many tokens a row may have by a recipe; None where it says nothing of ours.

    Of grpo rows that is the prompt alone.
    """
    own, given = recipe.get("ste") or {}, recipe.get("sequence_len")
    if own.get("datasets") == "off" or not isinstance(given or 0, int):
        return None  # of another type it is axolotl's to refuse
    return given or SEQUENCE_LEN


def is_axolotl_config(path: Path) -> bool:
    """Return whether a YAML is an axolotl config rather than a run's."""
    return path.is_file() and "base_model" in read_recipe(path)


def overlay(
    recipe: dict[str, Any],
    *,
    model: str,
    manifest: DatasetManifest,
    output: Path,
    seed: int,
    revision: str | None = None,
    files: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return the recipe with model, manifest, output folder and seed set; all else is its own.

    Any axolotl config will do: one that does not name our plugin gets it. An adapter is merged.
    What axolotl prepares lies beside `output`. Where no row was held out, nothing is evaluated.
    `revision`: of a model of the hub, where one is named.
    `files`: the run's plugins, which are named in it where the judge format is none of ours.
    """
    config = copy.deepcopy(recipe)
    plugins = [p for p in config.get("plugins") or [] if p != PLUGIN]
    settings = {**(config.get("ste") or {}), "manifest": str(manifest.path), "merge": True}
    if manifest.judge_format["name"] not in FORMATS:
        named = [*(settings.get("plugins") or []), *map(str, files)]
        settings["plugins"] = [*dict.fromkeys(named)]  # a copy of an overlay names them already
    rows = row_format_of_rl(config.get("rl"))
    replaced = settings.get("datasets", "replace") == "replace"
    if replaced and not manifest.count(f"{rows}-dev"):
        settings.pop("select_best", None)
        config = {k: v for k, v in config.items() if k not in _NEEDS_HELD_OUT_ROWS}
    if revision is not None:
        config["revision_of_model"] = revision
    return config | {
        "plugins": [PLUGIN, *plugins],
        "ste": settings,
        "base_model": model,
        "output_dir": str(output),
        "dataset_prepared_path": str(output.parent / "prepared"),
        "seed": seed,
    }


def changed_since(
    recipe: dict[str, Any], written: Mapping[str, Any], manifest: DatasetManifest
) -> list[str]:
    """Return a line per setting that a recipe has otherwise than a config that it once became.

    `written`: that config, as `overlay` made it for the data set of `manifest`. What a run sets
    itself is not compared: a folder may be moved, and a plugin's file with it.
    """
    now = overlay(recipe, model="", manifest=manifest, output=Path(), seed=0)
    return changed_fields(_own_settings(written), _own_settings(now))


def _own_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a laid over config that no run sets itself."""
    own = {key: config[key] for key in config if key not in _SET_BY_RUN}
    ste = config.get("ste") or {}
    return own | {"ste": {k: ste[k] for k in ste if k not in ("manifest", "plugins")}}
