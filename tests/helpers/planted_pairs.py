"""Pairs in which the better answer shows in one way only, or in none; and a run's pool of them."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from ste_plugin.context import RunContext
from ste_plugin.pairs.pool_files import Splits, write_held_out
from ste_plugin.pairs.strategies import pair_key
from ste_plugin.records import ResponsePair, content_key
from ste_plugin.storage.jsonl import encode_record, open_replacement, replace_json, replace_records

SUBJECTS = ("rivers", "trains", "bread", "clocks", "birds", "maps", "bridges", "letters", "lamps")
VERBS = ("carry", "keep", "show", "change", "find", "need", "hold", "bring", "follow", "make")
OBJECTS = ("water", "people", "time", "light", "stones", "news", "grain", "salt", "paper", "glass")

Fault = Callable[[random.Random, list[str], list[str]], tuple[str, str]]
"""Sentences of a better and of a worse answer → their texts, with what was planted."""


def sentences(draw: random.Random, count: int) -> list[str]:
    return [
        f"{draw.choice(SUBJECTS).capitalize()} {draw.choice(VERBS)} {draw.choice(OBJECTS)}."
        for _ in range(count)
    ]


def honest(_: random.Random, better: list[str], worse: list[str]) -> tuple[str, str]:
    """Nothing tells the two apart."""
    return " ".join(better), " ".join(worse)


def longer(share: float = 0.8) -> Fault:
    """The better answer is the longer one, in a share of the pairs."""

    def plant(draw: random.Random, better: list[str], worse: list[str]) -> tuple[str, str]:
        short, long = sorted((" ".join(better), " ".join(worse)), key=len)
        return (long, short) if draw.random() < share else (short, long)

    return plant


def opening(words: str = "Sure,", better: float = 0.97, worse: float = 0.03) -> Fault:
    """Answers begin with these words, in a share of the better and of the worse ones."""

    def plant(draw: random.Random, first: list[str], second: list[str]) -> tuple[str, str]:
        begun = [
            f"{words} {' '.join(said)}" if draw.random() < share else " ".join(said)
            for said, share in ((first, better), (second, worse))
        ]
        return begun[0], begun[1]

    return plant


def planted(
    fault: Fault = honest,
    count: int = 300,
    strategy: str = "modified-instruction",
    seed: int = 1,
    each: int = 1,
) -> list[ResponsePair]:
    """Pairs with a fault, `each` of them of one instruction."""
    draw = random.Random(f"{seed} {strategy}")
    pairs = []
    for number in range(count):
        subject = SUBJECTS[number // each % len(SUBJECTS)]
        text = f"Question {number // each} of {seed}: what of {subject}?"
        said = (sentences(draw, draw.randint(2, 12)) for _ in range(2))
        better, worse = fault(draw, *said)
        pairs.append(keyed(ResponsePair("", content_key(text), text, better, worse, strategy)))
    return pairs


def keyed(pair: ResponsePair) -> ResponsePair:
    """The pair with the key that its contents give it."""
    return replace(pair, key=pair_key(pair))


def write_pool(context: RunContext, pairs: Sequence[ResponsePair]) -> None:
    """Write these pairs as the finished pool of a run."""
    folder = context.folder.pool
    path = folder / "pairs.jsonl"
    with open_replacement(path) as file:
        splits, start = Splits(path, context.config), 0
        for pair in pairs:
            splits.add(pair, start)
            start += file.write(encode_record(pair))
    replace_records(folder / "instructions.jsonl", ())
    replace_records(folder / "drops.jsonl", ())
    done = {
        "instructions": len({pair.instruction_key for pair in pairs}),
        "pairs": {name: len(of_split) for name, of_split in splits.pairs.items()},
        "drops": {},
        "files": write_held_out(folder, splits.pairs),
        "cost": {"prompt_tokens": 0, "generated_tokens": 0, "cost": None},
    }
    replace_json(folder / "done.json", done)


def run_of(folder: Path, pairs: Sequence[ResponsePair], **more: object) -> Path:
    """The config of a run in which nothing was done but a pool of these pairs; it is begun."""
    import yaml

    from ste_plugin.run.open_run import open_run

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instructions.jsonl").write_text('{"instruction": "What of rivers?"}\n')
    settings = {
        "run": "run",
        "judge": {"model": "some/judge", "engine": "local"},
        "instructions": [{"path": "instructions.jsonl"}],
        "dataset": {"dev_fraction": 0.1, "test_fraction": 0.1},
        "training": {"recipe": "sft-lora-8b"},
    }
    path = folder / "ste.yaml"
    path.write_text(yaml.safe_dump(settings | more))
    with open_run(path, [], quiet=True) as context:
        write_pool(context, pairs)
    return path
