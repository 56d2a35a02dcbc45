"""YAML as data: plain values that say what they seem to say, and cost no more than their file."""

import re
from pathlib import Path
from typing import Any

import yaml

from ste_plugin.errors import ConfigError
from ste_plugin.text.file_type import explain_not_utf8

MAX_VALUES = 50_000
"""In a file once every alias is followed; nested aliases can make billions out of ten lines."""
_CONTROL_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MERGE = "tag:yaml.org,2002:merge"


class YamlRefused(yaml.YAMLError):
    """YAML that can be parsed and must not be used; the message begins with its line."""


def read(path: Path, hint: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> dict[str, Any]:
    """Return the mapping in a file; `hint` says what to do where there is none.

    Raises: ConfigError naming the file and the line, what was found and what was expected.
    """
    try:
        content = path.read_bytes()
        settings = load(content.decode("utf-8-sig"), loader)
    except OSError as error:
        why = (
            "is a folder, not a file"
            if path.is_dir()
            else _uncapitalized(error.strerror or str(error))
        )
        raise ConfigError(f"{path}: {why}; expected settings in YAML. {hint}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: expected YAML in UTF-8, {explain_not_utf8(content, error)}"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{path}: not YAML that can be used: {explain_yaml_error(error)}. Fix it there."
        ) from error
    if not isinstance(settings, dict):
        kind = "nothing" if settings is None else f"a {type(settings).__name__}"
        raise ConfigError(f"{path}: expected settings (key: value), found {kind}. {hint}.")
    return settings


_PLAIN_PROBLEMS = {
    "'\\t'": "a tab; YAML is indented with spaces",
    "another document": "a second document (---); expected a single document",
    "<document start>": "a second value behind the first; expected one mapping",
    "<stream end>": "the file ends too soon; a bracket or quote is open",
}


def explain_yaml_error(error: yaml.YAMLError) -> str:
    """Return the line and the problem, without what belongs to the parser alone."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    problem = _uncapitalized(str(getattr(error, "problem", "")))
    for jargon, plain in _PLAIN_PROBLEMS.items():
        problem = plain if jargon in problem else problem
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _uncapitalized(text: str) -> str:
    return text[:1].lower() + text[1:]


def load(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """Return the values of one document.

    Raises: yaml.YAMLError where it is not YAML, names a key twice, holds a control character,
    expands by aliases to more than `MAX_VALUES`, or builds anything but plain values.
    """
    parser = loader(text)
    try:
        node = parser.get_single_node()
        if node is None:
            return None
        _count_values(node, {})
        return parser.construct_document(node)
    except RecursionError:
        raise YamlRefused("nested too deeply for settings") from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise YamlRefused(f"a value that does not fit its tag ({error!r})") from error
    finally:
        parser.dispose()


def _count_values(node: yaml.Node, counts: dict[int, int]) -> int:
    """Return how many values a node expands to; `counts` holds nodes counted, 0 for those begun."""
    known = counts.get(id(node))
    if known is not None:
        if not known:
            raise _refused(node, "an anchor that holds itself")
        return known
    counts[id(node)] = 0
    count = 1 + sum(_count_values(child, counts) for child in _children(node))
    if count > MAX_VALUES:
        raise _refused(node, f"more than {MAX_VALUES:,} values once its aliases are followed")
    counts[id(node)] = count
    return count


def _children(node: yaml.Node) -> list[yaml.Node]:
    """Return the nodes below. Raises: YamlRefused for a repeated key, or a control character."""
    if isinstance(node, yaml.ScalarNode):
        if control := _CONTROL_CHARACTER.search(node.value):
            raise _refused(node, f"the control character {control[0]!r} in a value")
        return []
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        name = (key.tag, key.value)
        if name in lines:
            raise _refused(key, f"{key.value!r} is set twice, first in line {lines[name]}")
        lines[name] = key.start_mark.line + 1
    return [part for pair in node.value for part in pair]


def _refused(node: yaml.Node, what: str) -> YamlRefused:
    return YamlRefused(f"line {node.start_mark.line + 1}: {what}")


def one_line(value: Any) -> str:
    """Return a value as YAML on one line.

    >>> one_line({"engine": "http", "options": {"timeout_s": 5}})
    '{engine: http, options: {timeout_s: 5}}'
    """
    value = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(value, default_flow_style=True, width=1_000_000, sort_keys=False)
    return text.removesuffix("...\n").strip()
