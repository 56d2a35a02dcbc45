"""Reading a run's YAML, with errors that name the key, the nearest right one, and the place."""

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ste_plugin import safe_yaml
from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError
from ste_plugin.redaction import secrets

Model = TypeVar("Model", bound=BaseModel)
_SECRET = re.compile(
    r"token|(?:.*_)?(?:api_?key|(?:access|auth|hf|hub|secret|api)_token|password|secret|authorization)"
)


def read_config(path: Path) -> RunConfig:
    """Return the config that a YAML file holds.

    Raises: ConfigError naming file and key for anything unknown, missing or out of range.
    """
    raw = read_yaml(path)
    refuse_secrets(raw, str(path))
    return validated(RunConfig, raw, str(path))


def refuse_secrets(value: Any, where: str, place: str = "") -> None:
    """Raise ConfigError for a key, token or password: configs are copied into runs and reports.

    What was found is not shown.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            refuse_secrets(inner, where, f"{place}.{key}".strip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            refuse_secrets(inner, where, f"{place}.{number}")
    elif isinstance(value, str) and value:
        variable = next((name for v, name in secrets(os.environ).items() if v in value), None)
        if variable or _SECRET.fullmatch(place.rpartition(".")[2]):
            raise ConfigError(
                f"{where}: {place} holds {f'the value of {variable}' if variable else 'a secret'} (not "
                "shown here). Secrets come from the environment only: remove it, and name the variable "
                "instead (options.api_key_env), or set the one that the program reads (HF_TOKEN)."
            )


def validated(model: type[Model], raw: dict[str, Any], where: str) -> Model:
    """Return the settings that a mapping holds.

    Raises: ConfigError naming `where` and key for anything unknown, missing or out of range.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        told = "\n".join(f"  {_told(model, e['loc'], e['type'], e['msg'])}" for e in error.errors())
        raise ConfigError(f"{where}: {error.error_count()} setting(s) to mend:\n{told}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises: ConfigError where the file is missing, no YAML, or no mapping.
    """
    try:
        raw = safe_yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file. `ste init` writes a starter config.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{path}: expected settings (`key: value`), found {type(raw).__name__}. "
            "`ste init` writes a starter config."
        )
    return raw


def read_kept(path: Path) -> RunConfig:
    """Return the config in a run's `run.yaml`.

    Raises: ConfigError where the file was changed, with what to do.
    """
    try:
        return validated(RunConfig, read_yaml(path).get("config", {}), str(path))
    except ConfigError as error:
        raise ConfigError(
            f"{error}\nA run keeps its settings there. Put the file back, or delete it and run again with "
            "the config that the run began with."
        ) from error


def _told(model: Any, where: tuple[str | int, ...], kind: str, message: str) -> str:
    place = ".".join(str(part) for part in where)
    if kind == "extra_forbidden":
        keys = _keys_at(model, where[:-1])
        near = get_close_matches(str(where[-1]), keys, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(keys)}"
        return f"{place}: unknown key; {hint}"
    if kind == "missing":
        return f"{place}: missing, and it has no default"
    return f"{place}: {message.removeprefix('Value error, ')}"


def _keys_at(model: Any, where: tuple[str | int, ...]) -> list[str]:
    """Return the keys that a settings model knows at a place."""
    for part in where:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    """Return the settings model inside `X`, `X | None`, `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for part in get_args(annotation) if (m := _model_in(part))), None)


def changed_fields(old: Any, new: Any, place: str = "") -> list[str]:
    """Return one line a setting that differs: `judging.samples: 15 → 8`."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in changed_fields(old.get(key), new.get(key), f"{place}.{key}".strip("."))
        ]
    return [] if old == new else [f"{place}: {old!r} → {new!r}"]
