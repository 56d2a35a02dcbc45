"""Checks of the rows themselves, before a GPU is used: what they hold."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.storage.dataset_manifest import DatasetManifest

TrainingRow = Mapping[str, Any]

COLUMNS: dict[str, dict[str, type]] = {
    "sft": {"messages": list},
    "dpo": {"messages": list, "chosen": dict, "rejected": dict},
    "kto": {"messages": list, "reply": dict, "label": bool},
    "grpo": {"prompt": list, "judge_format": str},
}
"""Row format → its columns and their types, beside those in ORIGIN."""
ORIGIN: dict[str, type] = {"instruction": str, "pair": str, "better_is": str}

MAX_SHARE_OF_A_LETTER = 0.6


def check_rows(manifest: DatasetManifest, rows: str) -> None:
    """Return if the training rows are whole, stripped, balanced, and none is held out.

    Raises: DataError naming file and line, or the share, and what to do.
    """
    held_out = held_out_instructions(manifest)
    shown: dict[tuple[str, str], str] = {}
    for place, row in manifest.rows(f"{rows}-train"):
        check_row(place, row, rows)
        shown[row["pair"], row["better_is"]] = row["better_is"]
        if row["instruction"] in held_out:
            raise DataError(
                f"{place}: its instruction {row['instruction']!r} is also among the held-out "
                "pairs, so that nothing measured on them would count. Generate the data set again."
            )
    letters = Counter(shown.values())
    commoner, count = letters.most_common(1)[0]
    if count > MAX_SHARE_OF_A_LETTER * letters.total():
        raise DataError(
            f"{manifest.path}: in {count} of {letters.total()} training prompts the right letter "
            f"is {commoner}; expected both letters, neither above {MAX_SHARE_OF_A_LETTER:.0%}, or "
            "the judge learns the letter. Generate the data set again, with balanced rows."
        )


def held_out_instructions(manifest: DatasetManifest) -> set[str]:
    """Return the keys of every instruction whose pairs measure the judge."""
    names = [n for n in ("judge-dev", "judge-test") if manifest.count(n)]
    return {row["instruction"] for name in names for _, row in manifest.rows(name)}


def check_row(place: str, row: TrainingRow, rows: str) -> None:
    """Return if a row has its columns, and replies that are neither empty nor loose.

    Raises: DataError naming file and line.
    """
    for column, kind in {**ORIGIN, **COLUMNS[rows]}.items():
        if not isinstance(row.get(column), kind):
            found = type(row[column]).__name__ if column in row else f"columns {', '.join(row)}"
            raise DataError(
                f"{place}: expected {column!r} to be {kind.__name__}, found {found}. This is not a "
                f"row for {rows}; generate the data set again."
            )
    for reply in replies(row, rows):
        content = reply.get("content")
        if not isinstance(content, str):
            raise DataError(
                f"{place}: a judgment without text (its content is {content!r}). Generate the data "
                "set again."
            )
        if not content or content != content.strip():
            raise DataError(
                f"{place}: a judgment that is {'not stripped' if content.strip() else 'empty'} "
                f"({content[:40]!r}): templates that trim lose such a target. Generate the data "
                "set again."
            )


def replies(row: TrainingRow, rows: str) -> list[Mapping[str, str]]:
    """Return the assistant turns that a row trains on."""
    if rows == "sft":
        return row["messages"][-1:] or [{}]
    return [row[name] for name in ("chosen", "rejected", "reply") if name in row]
