"""Reading a run's YAML, with errors that name the file, the key, and the nearest known key."""

import os
from pathlib import Path
from typing import Any

import msgspec

from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.text import safe_yaml
from ste_plugin.text.redaction import is_secret_setting, secret_values
from ste_plugin.text.settings_errors import validate_settings


def read_config(path: Path) -> RunConfig:
    """Return the config in a YAML file.

    Interpreters of hosts are found from its folder, as the other paths are by who opens them.
    Raises: ConfigError naming file and key for anything unknown, missing or out of range.
    """
    raw = read_yaml(path)
    refuse_secrets(raw, str(path))
    config = validate_settings(RunConfig, raw, str(path))
    return config.model_copy(update={"hosts": config.hosts.beside(path.resolve().parent)})


def refuse_secrets(value: Any, where: str, key_path: str = "") -> None:
    """Raise ConfigError for a key, token or password: configs are copied into runs and reports.

    The message does not show it.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            refuse_secrets(inner, where, f"{key_path}.{key}".strip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            refuse_secrets(inner, where, f"{key_path}.{number}")
    elif isinstance(value, str) and value:
        variable = next((name for v, name in secret_values(os.environ).items() if v in value), None)
        if variable or is_secret_setting(key_path.rpartition(".")[2]):
            what = f"the value of {variable}" if variable else "a secret"
            raise ConfigError(
                f"{where}: {key_path} holds {what} (not shown here). Secrets come from the "
                "environment only: remove it, and name the variable instead "
                "(options.api_key_env), or set the one that the program reads (HF_TOKEN)."
            )


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the settings in a YAML file.

    Raises: ConfigError where the file is missing, not YAML, or not a mapping.
    """
    return safe_yaml.read(path, "`ste init` writes a starter config")


_RUN_YAML_KEYS = {"run", "iterations", "judge", "judging", "training"}
_HOW_TO_RESTORE = "Put it back from a copy, or move the run's folder away and start a new run."


def read_run_yaml(path: Path) -> RunConfig:
    """Return the config that a run was started with, from its `run.yaml`.

    Raises: DataError where that is not what `ste run` wrote.
    """
    try:
        config = read_yaml(path).get("config")
    except ConfigError as error:
        raise DataError(f"{error} {_HOW_TO_RESTORE}") from error
    if not isinstance(config, dict) or not config.keys() >= _RUN_YAML_KEYS:
        raise DataError(
            f"{path}: expected the config that the run was started with, found other YAML. "
            f"{_HOW_TO_RESTORE}"
        )
    try:
        return validate_settings(RunConfig, config, str(path))
    except ConfigError as error:
        raise DataError(f"{error}\n{_HOW_TO_RESTORE}") from error


class RunRecord(msgspec.Struct, frozen=True):
    """What `run.yaml` says beside the config; a version that kept no record of it says nothing."""

    plugins: dict[str, list[str]] = {}
    """Plugin → those of its hooks that the run was made with."""
    base: str = ""
    """Where the config's relative paths start, unless the run's own path tells."""


def read_run_record(path: Path) -> RunRecord:
    """Return what a `run.yaml` says beside the config.

    Raises: DataError where that is not what `ste run` wrote.
    """
    try:
        return msgspec.convert(read_yaml(path), RunRecord)
    except msgspec.ValidationError as error:
        raise DataError(
            f"{path}: {error}; expected what `ste run` wrote. {_HOW_TO_RESTORE}"
        ) from error


def changed_fields(old: Any, new: Any, key_path: str = "") -> list[str]:
    """Return one line per setting that differs: `judging.samples: 15 → 8`."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in changed_fields(old.get(key), new.get(key), f"{key_path}.{key}".strip("."))
        ]
    return [] if old == new else [f"{key_path}: {old!r} → {new!r}"]
