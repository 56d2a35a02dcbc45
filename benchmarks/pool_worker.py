"""`python pool_worker.py STEP COUNT`: one step of a pool in a process of its own, with its figures.

It uses what every build of the package has had, so that PYTHONPATH may name the folder of another
one. Steps: `near-duplicates`, that selector alone; `planted`, the same on texts with planted
duplicates; `kept-out`, such texts held against a benchmark of 10,000 prompts; `rest`, the pool
without selectors, by an engine that answers at once; `whole`, that with selectors. Printed as JSON:
`seconds` of the processor; `megabytes`, resident at most; `kept`, the numbers of the texts kept, or
`digest`, a hash of the pool's files.
"""

import hashlib
import json
import random
import resource
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from ste_plugin.config import ModelConfig, SelectionConfig
from ste_plugin.engines.base import ChatRequest, Completion, Place
from ste_plugin.hookspecs import hookimpl
from ste_plugin.instructions.selection import SELECTORS
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.records import Instruction
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import replace_json

WORDS = [f"word{n}" for n in range(20_000)]
FREQUENCIES = list(accumulate(1 / n for n in range(1, 20_001)))
REPLACED = {0.95: 5, 0.82: 20, 0.78: 25, 0.70: 35}
"""Jaccard similarity → how many of 200 word 3-grams a text has to replace for it."""


def texts(count: int) -> Iterator[str]:
    """Yield made texts of 5 to 40 words, the frequent ones as frequent as in English.

    One in ten is an earlier one with up to three words replaced.
    """
    rng, recent = random.Random(0), list[list[str]]()
    for number in range(count):
        if recent and rng.random() < 0.1:
            words = list(rng.choice(recent))
            for _ in range(rng.choice((0, 1, 1, 2, 3))):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
        else:
            words = rng.choices(WORDS, cum_weights=FREQUENCIES, k=rng.randint(5, 40))
            recent[number % 1000 :] = [words, *recent[number % 1000 + 1 :]]
        yield " ".join(words)


def planted(count: int) -> Iterator[str]:
    """Yield made texts; every second one resembles the one before by a similarity of `REPLACED`."""
    rng = random.Random(1)
    for number in range(count // 2):
        words = rng.choices(WORDS, cum_weights=FREQUENCIES, k=202)
        replaced = list(REPLACED.values())[number % len(REPLACED)]
        yield " ".join(words)
        yield " ".join(words[: 202 - replaced] + rng.choices(WORDS, k=replaced))


_ANSWER = "word " * 100


class Instant:
    """An engine that answers at once."""

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        for request in requests:
            yield Completion(request.key, f"{request.key} {_ANSWER}", "stop", 0, 0)

    def close(self) -> None:
        """Nothing is held."""


def create(_: ModelConfig, __: Place) -> Instant:
    return Instant()


@hookimpl
def ste_engines() -> dict[str, str]:
    return {"pool-instant": "pool_worker:create"}


def select(made: Iterable[str]) -> dict[str, Any]:
    """Return the figures of the selector of near duplicates."""
    instructions = [Instruction(f"{n:016x}", text, "made") for n, text in enumerate(made)]
    began = time.process_time()
    kept, _ = SELECTORS["near-duplicates"](instructions, SelectionConfig())
    numbers = [int(instruction.key, 16) for instruction in kept]
    return {"seconds": time.process_time() - began, "kept": numbers}


def keep_out(count: int) -> dict[str, Any]:
    """Return the figures of holding made texts against the prompts of a benchmark."""
    from ste_plugin.context import PromptSet
    from ste_plugin.instructions.selection.contamination import KeptOut

    rng = random.Random(2)
    prompts = [
        " ".join(rng.choices(WORDS, cum_weights=FREQUENCIES, k=rng.randint(10, 200)))
        for _ in range(10_000)
    ]
    sets = [PromptSet("made", [(str(n), text) for n, text in enumerate(prompts)])]

    def made() -> Iterator[Instruction]:
        return (Instruction(f"{n:016x}", t, "made") for n, t in enumerate(texts(count)))

    began = time.process_time()
    deque(made(), maxlen=0)
    making = time.process_time() - began
    kept_out = KeptOut(sets, SelectionConfig()).without(made(), lambda _: None)
    deque(kept_out, maxlen=0)
    return {"seconds": time.process_time() - began - 2 * making}


def make_pool(count: int, selectors: list[str], folder: Path) -> dict[str, Any]:
    """Return the figures of making a pool with these selectors."""
    with (folder / "instructions.jsonl").open("w") as file:
        for number, text in enumerate(texts(count)):
            file.write(json.dumps({"instruction": f"{text} {number}"}) + "\n")
    config = folder / "ste.yaml"
    settings = {
        "run": "run",
        "judge": {"model": "none", "engine": "pool-instant"},
        "instructions": [{"path": "instructions.jsonl"}],
        "selection": {"selectors": selectors},
        "pairs": {"strategies": ["modified-instruction-two-calls"]},
        "training": {"recipe": "sft-lora-8b"},
        "plugins": [__file__],
    }
    replace_json(config, settings)
    with open_run(config, [Path(__file__)], quiet=True) as context:
        began = time.process_time()
        prepare_pool(context)
        taken = time.process_time() - began
    digest = hashlib.sha256()
    for path in sorted((folder / "run" / "pool").glob("*.jsonl")):
        if not path.stat().st_size:  # an older build may write fewer files
            continue
        digest.update(path.name.encode())
        with path.open("rb") as file:
            for line in file:
                digest.update(line)
    return {"seconds": taken, "digest": digest.hexdigest()}


def main(step: str, count: int) -> dict[str, Any]:
    """Return the figures of one step."""
    if step == "planted":
        return select(planted(count))
    if step == "near-duplicates":
        return select(texts(count))
    if step == "kept-out":
        return keep_out(count)
    selectors = {"rest": [], "whole": list(SelectionConfig().selectors)}[step]
    with tempfile.TemporaryDirectory() as folder:
        return make_pool(count, selectors, Path(folder))


if __name__ == "__main__":
    sys.modules["pool_worker"] = sys.modules["__main__"]
    figures = main(sys.argv[1], int(sys.argv[2]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**figures, "megabytes": peak}))  # noqa: T201 (read by the benchmark)
