"""judged.jsonl, beside results.json: what was said about each pair, for comparing two judges."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks import choice_scores
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import Choice
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.storage.jsonl import read_rows, replace_rows

JUDGED = "judged.jsonl"


def write_judged(folder: Path, judged: Sequence[JudgedPair]) -> None:
    """Write judged pairs."""
    replace_rows(folder / JUDGED, map(asdict, judged))


def write_choices(folder: Path, rows: Sequence[Choice], replies: Sequence[list[Any]]) -> None:
    """Write what each row of RewardBench 2 is worth."""
    judged = (choice_scores.read_replies(row, r) for row, r in zip(rows, replies, strict=True))
    named = zip(rows, judged, strict=True)
    replace_rows(
        folder / JUDGED,
        ({"id": row.id, **worth._asdict()} for row, worth in named),
    )


def read_judged(folder: Path) -> list[JudgedPair] | dict[str, choice_scores.Judged]:
    """Return the judged pairs of an evaluation; of RewardBench 2 id → what the row is worth.

    Raises: DataError where there is no such file, or a line is none of both.
    """
    if not (folder / JUDGED).is_file():
        raise DataError(
            f"{folder / JUDGED}: no such file, which holds what was said about each pair. Delete "
            "results.json beside it and measure again."
        )
    rows = [(f"{folder / JUDGED}:{number}", row) for number, row in read_rows(folder / JUDGED)]
    if rows and "points" in rows[0][1]:
        return {row.pop("id"): _read(where, choice_scores.Judged, row) for where, row in rows}
    return [_read(where, JudgedPair, row) for where, row in rows]


def _read(where: str, kind: Any, row: Mapping[str, Any]) -> Any:
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
    except TypeError as error:
        raise DataError(
            f"{where}: not what an evaluation writes ({error}). Delete results.json beside it and "
            "measure again."
        ) from error


def pairs_hash(docs: Iterable[Mapping[str, Any]]) -> str:
    """Return a SHA-256 of the rows that were judged, wherever they were read from."""
    texts = (json.dumps(doc, sort_keys=True, ensure_ascii=True) for doc in docs)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
