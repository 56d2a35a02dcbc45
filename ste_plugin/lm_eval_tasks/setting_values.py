"""Reading the value of a judge task's setting from text, with every fault named."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from ste_plugin.errors import ConfigError

PREFIX = "STE_JUDGE_"
"""How environment variables of settings begin."""
MARKS = ("open", "close")
Word = TypeVar("Word", bound=str)


def where_set(name: str) -> str:
    """Return what a setting is called, in the environment and on the command line."""
    return f"{PREFIX}{name} ({name.lower()} in --judge-args)"


def as_json(found: Mapping[str, Any]) -> str:
    """Return an object as JSON; an empty one is not set."""
    return json.dumps(found) if found else ""


def parse_object(name: str, text: str) -> dict[str, Any]:
    """Return an object, empty where unset. Raises: ConfigError where the text is none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a JSON object, as "
            '{"enable_thinking": false}.'
        )
    return found


def parse_columns(name: str, text: str) -> dict[str, str]:
    """Return column → what the file calls it, empty where unset.

    Raises: ConfigError where the text is neither NAME=COLUMN,… nor a JSON object of texts.
    """
    if text.startswith("{"):
        found = parse_object(name, text)
    else:
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        found = {key.strip(): value.strip() for key, _, value in parts}
    if not all(isinstance(v, str) and v and k for k, v in found.items()):
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected prompt=question,chosen=good,rejected=bad "
            "(a JSON object where a name has a comma)."
        )
    return found


def parse_labels(name: str, text: str) -> dict[str, str]:
    """Return what a file writes for a label → A, B or tie; empty where unset.

    Raises: ConfigError where the text is neither LABEL=A,… nor a JSON object.
    """
    if text.startswith("{"):
        found = parse_object(name, text)
    else:
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        found = {key.strip(): value.strip() for key, _, value in parts}
    if not all(value in ("A", "B", "tie") for value in found.values()):
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected what the file writes for A, B and tie, "
            "as 1=A,2=B,0=tie (a JSON object where it has a comma)."
        )
    return found


def parse_marks(name: str, text: str) -> tuple[str, str] | None:
    """Return what opens and closes a thought, or None where unset.

    Raises: ConfigError where it is no object of the two.
    """
    found = parse_object(name, text)
    if not found:
        return None
    if set(found) != set(MARKS) or not all(isinstance(v, str) and v for v in found.values()):
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a JSON object of two texts, as "
            '{"open": "<scratch>", "close": "</scratch>"}.'
        )
    return found["open"], found["close"]


def parse_switch(name: str, text: str) -> bool:
    """Return whether a switch is on. Raises: ConfigError where it is neither on nor off."""
    if text.lower() not in ("", "0", "1", "true", "false"):
        raise ConfigError(f"{where_set(name)}: found {text!r}; expected 1 or 0.")
    return text.lower() in ("1", "true")


def parse_count(name: str, text: str, minimum: int = 1) -> int | None:
    """Return a count, or None where unset. Raises: ConfigError where it is none."""
    if not text:
        return None
    if not text.isdecimal() or int(text) < minimum:
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a whole number from {minimum}."
        )
    return int(text)


def parse_names(name: str, text: str) -> tuple[str, ...]:
    """Return names that commas or blanks part. Raises: ConfigError for what is no name."""
    names = tuple(re.split(r"[\s,]+", text)) if text else ()
    if any(not re.fullmatch(r"[\w.-]+", each) for each in names):
        raise ConfigError(f"{where_set(name)}: found {text!r}; expected names, as seed,top_k.")
    return names


def parse_number(name: str, text: str, maximum: float) -> float:
    """Return a number from 0. Raises: ConfigError where it is none."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= maximum:
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a number from 0 to {maximum:g}."
        )
    return number


def parse_word(name: str, text: str, words: tuple[Word, ...]) -> Word:
    """Return the word given, by default the first. Raises: ConfigError where it is none of them."""
    chosen = text or words[0]
    for word in words:
        if word == chosen:
            return word
    raise ConfigError(f"{where_set(name)}: found {text!r}; expected {' or '.join(words)}.")
