"""What a preview shows: instructions, answers, judgments and a training row, read from its run."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from ste_plugin.config import ModelConfig
from ste_plugin.context import Iteration
from ste_plugin.dataset.token_counts import load_template
from ste_plugin.engines.base import Message
from ste_plugin.pairs.given import given_prompts
from ste_plugin.records import Drop, Instruction, Judgment, Record, ResponsePair
from ste_plugin.run.estimate import StageEstimate
from ste_plugin.storage.drop_log import count_reasons
from ste_plugin.storage.jsonl import read_json, read_records, read_rows

R = TypeVar("R", bound=Record)

_REPLIES: tuple[str, ...] = ("chosen", "rejected", "reply")
"""Columns of rows that hold what is learnt, or learnt to be avoided, apart from the prompt."""


class PreviewedPair(Record, frozen=True):
    """Two answers, and the first judgment in each order."""

    strategy: str
    better: str
    worse: str
    judgments: tuple[Judgment, ...]


class PreviewedInstruction(Record, frozen=True):
    """An instruction, and what became of it."""

    instruction: str
    pairs: tuple[PreviewedPair, ...]
    dropped: tuple[str, ...]
    """Why pairs of it were not made."""


class RenderedRow(Record, frozen=True):
    """A training row as the judge's chat template renders it."""

    row_format: str
    prompt: str
    """All that is read before a target."""
    targets: dict[str, str]
    """Name of a reply in the row → what follows the prompt in training."""


class Preview(Record, frozen=True):
    """What was made of a few instructions, and an estimate for all."""

    instructions: int
    """How many the run has, given pairs among them; at most so many where labels decide."""
    shown: tuple[PreviewedInstruction, ...]
    judge_prompt: tuple[Message, ...]
    """The prompt about the first pair, its better answer shown as A."""
    pointwise: bool
    """Whether a prompt shows one answer alone: the better one, where it would be shown as A."""
    rows: int
    """Training rows that were made."""
    verdict_rows: int
    """Those of them that ask for the letter alone."""
    row: RenderedRow | None
    """The first of them."""
    drops: dict[str, int]
    """Reason → how many, for all that was dropped on the way."""
    problem: str
    """Why there is nothing to train on; empty where there is."""
    estimate: tuple[StageEstimate, ...]
    """What the whole run takes before training: each stage, then all together."""


def read_preview(
    iteration: Iteration, instructions: int, problem: str, estimate: tuple[StageEstimate, ...]
) -> Preview:
    """Return what an iteration on a few instructions has made; its pool has a pair at least."""
    pool, folder = iteration.context.folder.pool, iteration.folder
    pairs = read_records(pool / "pairs.jsonl", ResponsePair)
    pool_drops = read_records(pool / "drops.jsonl", Drop)
    drops = count_reasons([*pool_drops, *read_if_there(folder / "drops.jsonl", Drop)])
    judgments = read_if_there(folder / "judgments.jsonl", Judgment)
    shown = tuple(
        _show(instruction, pairs, judgments, pool_drops)
        for instruction in chain(
            read_records(pool / "instructions.jsonl", Instruction), given_prompts(pairs)
        )
    )
    first, judge_format = pairs[0], iteration.context.judge_format
    bound = judge_format.for_row(first.columns)
    prompt = bound.render_pair(first.instruction, first.better, first.worse, "A")
    rows, verdicts, row = _first_row(iteration)
    return Preview(
        instructions,
        shown,
        tuple(prompt),
        judge_format.pointwise,
        rows,
        verdicts,
        row,
        dict(drops),
        problem,
        estimate,
    )


def read_if_there(path: Path, kind: type[R]) -> list[R]:
    """Return the records of a file; none where a stage ended before it was written."""
    return read_records(path, kind) if path.exists() else []


def _show(
    instruction: Instruction,
    pairs: Sequence[ResponsePair],
    judgments: Sequence[Judgment],
    drops: Sequence[Drop],
) -> PreviewedInstruction:
    own = [pair for pair in pairs if pair.instruction_key == instruction.key]
    return PreviewedInstruction(
        instruction.text,
        tuple(
            PreviewedPair(
                pair.strategy, pair.better, pair.worse, _first_of_each_order(pair, judgments)
            )
            for pair in own
        ),
        tuple(drop.reason for drop in drops if drop.key == instruction.key),
    )


def _first_of_each_order(pair: ResponsePair, judgments: Sequence[Judgment]) -> tuple[Judgment, ...]:
    own = [judgment for judgment in judgments if judgment.pair_key == pair.key]
    latest_first = sorted(own, key=lambda j: j.sample_index, reverse=True)
    first = {judgment.gold: judgment for judgment in latest_first}
    return tuple(first[gold] for gold in sorted(first))


def _first_row(iteration: Iteration) -> tuple[int, int, RenderedRow | None]:
    """Return how many training rows and verdict rows there are, and the first row rendered."""
    folder = iteration.folder / "dataset"
    path = folder / "manifest.json"
    manifest = read_json(path) if path.exists() else {}
    file = manifest.get("files", {}).get(f"{iteration.rows}-train")
    if not file or not file["rows"]:
        return 0, 0, None
    _, row = next(iter(read_rows(folder / file["path"])))
    verdicts = manifest.get("counts", {}).get("verdict_rows", 0)
    shown = _render(row, iteration.rows, iteration.judge, iteration.context.base)
    return file["rows"], verdicts, shown


def _render(row: dict[str, Any], row_format: str, judge: ModelConfig, base: Path) -> RenderedRow:
    """Return a row as it is trained, by the very function that makes its tokens."""
    template = load_template(judge, base)
    asked = row["prompt"] if "prompt" in row else row["messages"]
    turns = [Message(turn["role"], turn["content"]) for turn in asked]
    replies = {name: row[name]["content"] for name in _REPLIES if name in row}
    if row_format == "sft":
        replies["judgment"] = turns.pop().content
    targets = {name: template.training_ids(turns, reply)[1] for name, reply in replies.items()}
    shown = {name: str(template.tokenizer.decode(ids)) for name, ids in targets.items()}
    return RenderedRow(row_format, template.prompt(turns), shown)
