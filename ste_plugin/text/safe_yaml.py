"""YAML as data: plain values that say what they seem to say, and cost no more than their file."""

import re
from pathlib import Path
from typing import Any

import yaml

from ste_plugin.errors import ConfigError
from ste_plugin.text.file_type import explain_not_utf8

MOST_VALUES = 50_000
"""Values in a file once every alias is followed; nested aliases can make billions out of ten lines."""
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MERGE = "tag:yaml.org,2002:merge"


class YamlRefused(yaml.YAMLError):
    """YAML that can be read and means trouble; the message begins with its line."""


def read(path: Path, cure: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> dict[str, Any]:
    """Return the mapping in a file; `cure` is the end of what to do where there is none.

    Raises: ConfigError naming the file and the line, what was found and what was expected.
    """
    try:
        content = path.read_bytes()
        found = load(content.decode("utf-8-sig"), loader)
    except OSError as error:
        why = "is a folder, not a file" if path.is_dir() else _words(error.strerror or str(error))
        raise ConfigError(f"{path}: {why}; expected settings in YAML. {cure}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: expected YAML in UTF-8, {explain_not_utf8(content, error)}"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{path}: not YAML that can be used: {told(error)}. Mend it there."
        ) from error
    if not isinstance(found, dict):
        kind = "nothing" if found is None else f"a {type(found).__name__}"
        raise ConfigError(f"{path}: expected settings (key: value), found {kind}. {cure}.")
    return found


_PLAINER = {
    "'\\t'": "a tab; YAML is indented with spaces",
    "another document": "a second document (---); expected a single document",
    "<document start>": "a second value behind the first; expected one mapping",
    "<stream end>": "the file ends too soon; a bracket or quote is open",
}


def told(error: yaml.YAMLError) -> str:
    """Return the line and the problem, without what belongs to the parser alone."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    problem = _words(str(getattr(error, "problem", "")))
    for words, plainer in _PLAINER.items():
        problem = plainer if words in problem else problem
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _words(text: str) -> str:
    return text[:1].lower() + text[1:]


def load(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """Return the values of one document.

    Raises: yaml.YAMLError where it is none, names a key twice, holds a control character, repeats
    itself by aliases beyond all measure, or builds anything but plain values.
    """
    reading = loader(text)
    try:
        node = reading.get_single_node()
        if node is None:
            return None
        _weigh(node, {})
        return reading.construct_document(node)
    except RecursionError:
        raise YamlRefused("nested too deeply for settings") from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise YamlRefused(f"a value that does not fit its tag ({error!r})") from error
    finally:
        reading.dispose()


def _weigh(node: yaml.Node, weights: dict[int, int]) -> int:
    """Return how many values come of a node; `weights` holds those counted, 0 for those begun."""
    known = weights.get(id(node))
    if known is not None:
        if not known:
            raise _refused(node, "an anchor that holds itself")
        return known
    weights[id(node)] = 0
    weight = 1 + sum(_weigh(inner, weights) for inner in _inside(node))
    if weight > MOST_VALUES:
        raise _refused(node, f"more than {MOST_VALUES:,} values once its aliases are followed")
    weights[id(node)] = weight
    return weight


def _inside(node: yaml.Node) -> list[yaml.Node]:
    """Return the nodes below; refuse a key that stands twice and text that is no text."""
    if isinstance(node, yaml.ScalarNode):
        if odd := _ODD.search(node.value):
            raise _refused(node, f"the control character {odd[0]!r} in a value")
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
