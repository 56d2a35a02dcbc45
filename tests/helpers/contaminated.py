"""A benchmark of made questions, and instructions that repeat some of them."""

import json
import random
from pathlib import Path

_WHO = [
    "baker",
    "sailor",
    "teacher",
    "farmer",
    "singer",
    "doctor",
    "painter",
    "miller",
    "judge",
    "pilot",
]
_WHAT = [
    "bridge",
    "letter",
    "garden",
    "engine",
    "violin",
    "ladder",
    "market",
    "island",
    "kettle",
    "mirror",
]
_DOES = [
    "repairs",
    "hides",
    "sells",
    "measures",
    "forgets",
    "paints",
    "borrows",
    "counts",
    "loses",
    "describes",
]
_WHERE = [
    "harbour",
    "forest",
    "library",
    "valley",
    "station",
    "castle",
    "kitchen",
    "desert",
    "tower",
    "village",
]

BEFORE, AFTER = "Dear assistant, I have a question for you. ", " Please take your time."


TEMPLATE = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n### Instruction:\n{}"
    "\n\n### Response:"
)
"""What many data sets put around each instruction."""


def question(number: int, seed: str = "benchmark") -> str:
    """A question of about twenty words; two of them have few words in a row in common."""
    rng = random.Random(f"{seed} {number}")
    parts = [
        f"the {rng.choice(_WHO)} from the {rng.choice(_WHERE)} {rng.choice(_DOES)} "
        f"a {rng.choice(_WHAT)} number {rng.randrange(10_000)}"
        for _ in range(2)
    ]
    return f"If {parts[0]} before {parts[1]}, what happens in year {rng.randrange(9999)}?"


def clean(count: int) -> list[str]:
    return [question(n, "clean") for n in range(count)]


def planted(numbers: range) -> dict[str, list[str]]:
    """Questions of the benchmark as instructions, by how they are disguised."""
    verbatim, shouted, wrapped = (numbers[n::3] for n in range(3))
    return {
        "verbatim": [question(n) for n in verbatim],
        "shouted": [question(n).upper().replace("?", "!!").replace(",", "") for n in shouted],
        "wrapped": [BEFORE + question(n) + AFTER for n in wrapped],
    }


def write_pairs(path: Path, count: int, template: str = "{}") -> Path:
    """The benchmark, as labelled pairs."""
    prompts = [template.format(question(n)) for n in range(count)]
    rows = [
        {"id": f"q{n}", "subset": "s", "prompt": prompt, "chosen": "Yes.", "rejected": "No."}
        for n, prompt in enumerate(prompts)
    ]
    return write_rows(path, rows)


def write_instructions(path: Path, texts: list[str]) -> Path:
    return write_rows(path, [{"instruction": text} for text in texts])


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
