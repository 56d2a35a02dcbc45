"""Runs of ste's own stages on given pairs: a folder with a config and a finished pool."""

import random
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.inputs import response_pair
from benchmarks.instant import BETTER, prose
from ste_plugin.config import ModelConfig
from ste_plugin.context import Iteration
from ste_plugin.dataset import collect
from ste_plugin.engines.base import ChatRequest, Sampling
from ste_plugin.engines.identity import model_identity
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.judging import JudgeFormat
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.records import Judgment, ResponsePair
from ste_plugin.run.open_run import open_run
from ste_plugin.sampling.judge_task import judge_tasks
from ste_plugin.sampling.sampler import JudgmentSampler
from ste_plugin.sampling.stopping_rules import RULES
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.jsonl import replace_json, replace_records

Settings = dict[str, Any]


def make_pairs(count: int) -> Iterator[ResponsePair]:
    """Yield pairs of about 200, 700 and 700 characters, each unlike the others."""
    rng = random.Random(0)
    texts = [prose(rng, 700) for _ in range(512)]
    for n in range(count):
        better, worse = f"{BETTER}{texts[n % 512]} {n}", f"{texts[n * 7 % 509]} {n}"
        yield response_pair(f"{texts[n * 3 % 511][:200]} {n}", better, worse, "made")


def write_run(
    folder: Path, pairs: Iterable[ResponsePair], judge: Settings, judging: Settings
) -> Path:
    """Write a run's config and its pool of these pairs; return the config."""
    (folder / "instructions.jsonl").touch()
    path = folder / "ste.yaml"
    settings = {
        "run": "run",
        "judge": judge,
        "instructions": [{"path": "instructions.jsonl"}],
        "judging": judging,
        "training": {"recipe": "sft-lora-8b"},
        "plugins": [str(Path(__file__).with_name("instant.py"))],
    }
    replace_json(path, settings)
    config, pool = read_config(path), folder / "run/pool"
    counts = dict.fromkeys(("train", "dev", "test"), 0)

    def counted() -> Iterator[ResponsePair]:
        for pair in pairs:
            counts[split_of(pair.split_key, config)] += 1
            yield pair

    replace_records(pool / "pairs.jsonl", counted())
    replace_records(pool / "drops.jsonl", [])
    replace_json(pool / "done.json", {"files": {}, "pairs": counts, "drops": {}})
    return path


@contextmanager
def count_one_token_per_example() -> Iterator[None]:
    """Let every example count one token in the block: a simulated judge has no tokenizer."""
    kept = vars(collect)["count_tokens"]
    vars(collect)["count_tokens"] = lambda *given: (1 for _ in given[-1])
    try:
        yield
    finally:
        vars(collect)["count_tokens"] = kept


@contextmanager
def iteration(judge: Settings, judging: Settings) -> Iterator[Iteration]:
    """Open the first iteration of a run in a folder of its own, which goes when the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        config = write_run(Path(folder), [], judge, judging)
        with open_run(config, [], quiet=True) as context:
            yield Iteration(1, context, context.config.judge)


def run_judging(
    at: Iteration, pairs: Iterable[ResponsePair]
) -> tuple[list[Judgment], CompletionStore]:
    """Run ste's judging stage on the pairs; return the judgments as read back, and their file."""
    config = at.context.config.judging
    file = CompletionStore(at.folder / "judging.completions.jsonl")
    sampler = JudgmentSampler(at, file, lambda *_: None)
    tasks = judge_tasks(list(pairs))
    sampler.sample(tasks, RULES[config.sampling or "fixed"], config.samples)
    judgments = [j for task in tasks for j in sampler.judgments(task) if isinstance(j, Judgment)]
    return judgments, file


def requests(
    pairs: Iterable[ResponsePair],
    judge_format: JudgeFormat,
    judge: ModelConfig,
    samples: int,
    tokens: int,
) -> list[ChatRequest]:
    """Return what ste asks about these pairs, in its order."""
    model, sampling = model_identity(judge, Path()), Sampling(max_new_tokens=tokens)
    return [
        ChatRequest(model, turns, sampling, i, format_version=judge_format.version)
        for q in judge_tasks(list(pairs))
        for turns in [
            judge_format.render_pair(q.pair.instruction, q.pair.better, q.pair.worse, q.gold)
        ]
        for i in range(samples)
    ]
