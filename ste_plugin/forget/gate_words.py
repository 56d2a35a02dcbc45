"""What plugins' gates said: sentences that may quote anything, in all files that repeat them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ste_plugin.audit import gate_decision, gates, shares
from ste_plugin.forget.editor import JsonlEditor, Row
from ste_plugin.forget.selection import find_files
from ste_plugin.storage.jsonl import read_json

FORGOTTEN = "a plugin's gate, whose words are forgotten with what they may quote"


def forget_gate_words(root: Path, editor: JsonlEditor) -> None:
    """Take what plugins' gates said out of gates.json and the events; what was decided stays."""
    for path in find_files(root, "gates.json"):
        content = read_json(path)
        after = content | {
            "broken": without_plugins(content["broken"]),
            "findings": [row for row in content["findings"] if is_built_in(row)],
        }
        if after != content:
            editor.json(path, after)
    for path in find_files(root, "events.jsonl"):
        editor.remove_rows(path, "events", _tells_of_plugins)


def is_built_in(finding: Mapping[str, Any]) -> bool:
    """Return whether a finding is of a gate, or a check of judges, that quotes no text."""
    check, name = finding["check"], finding["name"]
    return check == shares.CHECK or (check == gate_decision.CHECK and name in gates.NAMES)


def without_plugins(broken: Iterable[str]) -> list[str]:
    """Return the sentences on broken gates, those of plugins by one that quotes nothing."""
    return [words if _is_own(words) else FORGOTTEN for words in broken]


def _is_own(words: str) -> bool:
    name, colon, _ = words.partition(": ")
    return words == FORGOTTEN or (bool(colon) and name in (*gates.NAMES, gates.OF_AUDIT))


def _tells_of_plugins(row: Row) -> bool:
    broken = list(row.get("broken", ()))
    return row.get("stage") == "gates" and without_plugins(broken) != broken
