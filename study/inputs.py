"""What judges are taught from and measured on: samples of files that are given, not kept here."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.storage.jsonl import read_rows

INSTRUCTIONS = ("oasst_en", "self_instruct_seed", "mbpp", "gsm8k_train")
"""Unlabelled sets, below `instructions/` of the data; as many are drawn of each."""
CHOOSING = ("pandalm", "humanevalpack")
"""Labelled sets, below `pairs/`, on which recipes are chosen."""
REPORTING = ("truthfulqa", "hhh_alignment", "gsm8k_solutions", "qa_feedback")
"""Labelled sets that decide nothing."""
FIELDS = ("id", "subset", "prompt", "chosen", "rejected")
LONGEST_INSTRUCTION = 400
LONGEST_PAIR = 3000
"""Characters of prompt and both answers: two cores read no more in reasonable time."""
LONGEST_TAUGHT = 1800
"""Characters of a labelled pair to teach by: they fit into `sequence_len` of the base recipe."""


def draw_instructions(data: Path, count: int, seed: int, target: Path) -> None:
    """Write instructions drawn at random, as many of each set.

    Raises: OSError where a set is not there.
    """
    draw = random.Random(seed)
    drawn: list[Mapping[str, Any]] = []
    for name in INSTRUCTIONS:
        rows = read(data / "instructions" / f"{name}.jsonl")
        short = [row for row in rows if len(row["instruction"]) <= LONGEST_INSTRUCTION]
        drawn += draw.sample(short, min(len(short), count // len(INSTRUCTIONS)))
    write(target, ({"id": r["id"], "instruction": r["instruction"]} for r in drawn))


def draw_pairs(data: Path, count: int, folder: Path, longest: int = LONGEST_PAIR) -> dict[str, str]:
    """Write each labelled set's sample, the same for every judge; return name → file.

    `longest`: characters of prompt and both answers.
    Raises: OSError where a set is not there.
    """
    for name in (*CHOOSING, *REPORTING):
        rows = read(data / "pairs" / f"{name}.jsonl")
        kept = [r for r in rows if sum(len(r[k]) for k in FIELDS[2:]) <= longest]
        drawn = random.Random(name).sample(kept, min(count, len(kept)))
        write(folder / f"{name}.jsonl", ({key: r[key] for key in FIELDS} for r in drawn))
    return {name: str(folder / f"{name}.jsonl") for name in (*CHOOSING, *REPORTING)}


def draw_others(
    data: Path, names: Sequence[str], count: int, seed: int, measured: Mapping[str, str], to: Path
) -> None:
    """Write pairs to teach by, as many of each labelled set, of prompts that are not measured on.

    Raises: OSError where a set is not there.
    """
    draw, drawn = random.Random(seed), []
    for name in names:
        apart = {row["prompt"] for row in read(Path(measured[name]))}
        rows = [r for r in read(data / "pairs" / f"{name}.jsonl") if r["prompt"] not in apart]
        short = [r for r in rows if sum(len(r[k]) for k in FIELDS[2:]) <= LONGEST_TAUGHT]
        drawn += draw.sample(short, min(len(short), count // len(names)))
    write(to, ({key: row[key] for key in FIELDS} for row in drawn))


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file. Raises: DataError naming file and line."""
    return [row for _, row in read_rows(path)]


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
