"""Finding a judge format by what a setting says: a name, a file, or the file's content."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pluggy
import yaml

from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.written.format_file import FormatFile, Rubric
from ste_plugin.judging.written.load import format_of, parse_format, read_format, with_rubric
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.storage.jsonl import replace_bytes

HOOK = "ste_judge_formats"


def is_path(name: str) -> bool:
    """Return whether a setting names a format's file rather than a format, or its content."""
    if name.lstrip().startswith("{"):
        return False
    return Path(name).suffix.lower() in (".yaml", ".yml") or "/" in name


def find_judge_format(
    plugins: pluggy.PluginManager,
    name: str,
    setting: str,
    base: Path | None = None,
    rubric: Rubric = "",
) -> JudgeFormat:
    """Return the format that a setting names: one of a plugin, or of a YAML file below `base`.

    A name that begins with { is a file's content as JSON, as one process hands it to another.
    Raises: ConfigError where there is none, or its file is wrong, or it has no place for the
    rubric.
    """
    if name.lstrip().startswith("{"):
        found = _written(plugins, parse_format(_parsed(name, setting), setting), setting)
    elif is_path(name):
        path = (base or Path()) / Path(name).expanduser()
        found = _written(plugins, read_format(path), str(path))
    else:
        found = find_contribution(plugins, HOOK, name, setting)
    return with_rubric(found, rubric, setting) if rubric else found


def described(judge_format: JudgeFormat) -> dict[str, Any]:
    """Return what a manifest says of a format: enough to have the same one again elsewhere."""
    told: dict[str, Any] = {"name": judge_format.name, "version": judge_format.version}
    if judge_format.pointwise:
        told["pointwise"] = True
    definition = getattr(judge_format, "definition", None)
    return told | ({"definition": definition} if definition else {})


def format_of_manifest(
    plugins: pluggy.PluginManager, told: Mapping[str, Any], setting: str
) -> JudgeFormat:
    """Return the format that a manifest tells of. Raises: as `find_judge_format` does."""
    if definition := told.get("definition"):
        return find_judge_format(plugins, json.dumps(definition), setting)
    return find_judge_format(plugins, told["name"], setting)


def as_setting(judge_format: JudgeFormat) -> str:
    """Return what names a format to another process that has the same plugins."""
    definition = getattr(judge_format, "definition", None)
    return json.dumps(definition) if definition else judge_format.name


def as_file(judge_format: JudgeFormat) -> bytes | None:
    """Return the content of a file that says what a format is; None where its name does."""
    definition = getattr(judge_format, "definition", None)
    if not definition:
        return None
    text: str = yaml.safe_dump(definition, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


def keep_copy(judge_format: JudgeFormat, path: Path) -> None:
    """Write the file that says what a format is where no name does; remove one of another."""
    if (content := as_file(judge_format)) is None:
        path.unlink(missing_ok=True)
        return
    replace_bytes(path, content)


def _written(plugins: pluggy.PluginManager, file: FormatFile, where: str) -> JudgeFormat:
    if not file.like:
        return format_of(file, where)
    liked: JudgeFormat = find_contribution(plugins, HOOK, file.like, f"{where}: like")
    return with_rubric(liked, file.rubric, f"{where}: rubric")


def _parsed(text: str, setting: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"{setting}: found {text[:60]!r}, which is no JSON ({error}); expected a format's "
            "name, the path of its YAML file, or the file's content as JSON. Correct it."
        ) from error
    return found
