"""The pool of a run: instructions read and selected, response pairs made, instructions held out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ste_plugin.asking import ask
from ste_plugin.config import RunConfig
from ste_plugin.engines.base import ChatRequest, Completion, Message, Sampling
from ste_plugin.errors import DataError
from ste_plugin.hookspecs import PairStrategy
from ste_plugin.pairs import read_answer, read_pair, user
from ste_plugin.plugins import named
from ste_plugin.records import Drop, Instruction, ResponsePair, Split, content_key
from ste_plugin.selection import LABEL_VERSION, label, select
from ste_plugin.sources import read_instructions
from ste_plugin.store import read_json, read_records, replace_json, replace_records, replace_rows

if TYPE_CHECKING:
    from ste_plugin.session import Session


@dataclass(frozen=True, slots=True)
class Pool:
    """What all iterations share."""

    pairs: dict[Split, list[ResponsePair]]
    files: dict[str, Path]
    """`dev` and `test`: labelled pairs as evaluation reads them."""
    drops: list[Drop]


def split_of(instruction_key: str, config: RunConfig) -> Split:
    """Return where everything made from an instruction belongs, in every iteration.

    Decided by the key and the run's seed alone, so that a larger pool moves no instruction.
    """
    place = int(content_key("split", config.seed, instruction_key), 16) / 16**16
    if place < config.dataset.test_fraction:
        return "test"
    if place < config.dataset.test_fraction + config.dataset.dev_fraction:
        return "dev"
    return "train"


def prepare_pool(session: "Session") -> Pool:
    """Return the pool, made now or read back where `done.json` says that it is whole.

    Raises: DataError where a split that is needed came out empty.
    """
    folder = session.folder.pool
    if not (folder / "done.json").exists():
        _make_pool(session, folder)
    done = read_json(folder / "done.json")
    pairs: dict[Split, list[ResponsePair]] = {"train": [], "dev": [], "test": []}
    for pair in read_records(folder / "pairs.jsonl", ResponsePair):
        pairs[split_of(pair.instruction_key, session.config)].append(pair)
    files = {name: folder / file for name, file in done["files"].items()}
    return Pool(pairs, files, read_records(folder / "drops.jsonl", Drop))


def _make_pool(session: "Session", folder: Path) -> None:
    instructions, drops = _select(session)
    pairs, more = _make_pairs(session, instructions)
    drops += more
    splits = {name: [p for p in pairs if split_of(p.instruction_key, session.config) == name]
              for name in ("train", "dev", "test")}  # fmt: skip
    _check_splits(splits, session.config, drops)
    replace_records(folder / "instructions.jsonl", instructions)
    replace_records(folder / "pairs.jsonl", pairs)
    replace_records(folder / "drops.jsonl", drops)
    files = {n: _write_held_out(folder, n, splits[n]) for n in ("dev", "test") if splits[n]}
    reasons = dict(Counter(f"{d.stage}: {d.reason}" for d in drops))
    counts = {name: len(found) for name, found in splits.items()}
    replace_json(
        folder / "done.json",
        {"instructions": len(instructions), "pairs": counts, "drops": reasons, "files": files},
    )
    session.watch.event("pool", instructions=len(instructions), pairs=counts, drops=reasons)
    session.watch.say(
        f"pool: {len(instructions)} instructions, {len(pairs)} pairs "
        f"({counts['train']} train, {counts['dev']} dev, {counts['test']} test), {len(drops)} dropped"
    )


def _select(session: "Session") -> tuple[list[Instruction], list[Drop]]:
    config = session.config
    found, drops = read_instructions(
        config.instructions,
        session.base,
        lambda name: named(session.plugins, "ste_sources", name, "instructions.reader"),
    )
    if config.selection.label:
        found, more = label(found, lambda prompts: _ask_labels(session, prompts))
        drops += more
        if not found:
            raise DataError(
                f"selection.label: the generator's labels were not understood for any of {len(more)} "
                "instructions; expected one JSON object a reply. Use a stronger generator, or set "
                "selection.label: false."
            )
    kept, more = select(
        found,
        config.selection,
        lambda name: named(session.plugins, "ste_selectors", name, "selection.selectors"),
    )
    return kept, drops + more


def _ask_labels(session: "Session", prompts: Sequence[tuple[Message, ...]]) -> list[Completion]:
    sampling = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=2048)
    model = session.generator_identity
    requests = [ChatRequest(model, m, sampling, format_version=LABEL_VERSION) for m in prompts]
    path = session.folder.pool / "labels.completions.jsonl"
    return ask(session.generator, requests, path, session.watch, "labelling instructions")


def _make_pairs(
    session: "Session", instructions: Sequence[Instruction]
) -> tuple[list[ResponsePair], list[Drop]]:
    answers = _ask(session, [user(i.text) for i in instructions], "answer", "writing answers")
    better: dict[str, str] = {}
    drops: list[Drop] = []
    for instruction, completion in zip(instructions, answers, strict=True):
        answer = read_answer(instruction, completion)
        if isinstance(answer, Drop):
            drops.append(answer)
        else:
            better[instruction.key] = answer
    answered = [i for i in instructions if i.key in better]
    pairs: list[ResponsePair] = []
    for name in session.config.pairs.strategies:
        strategy = named(session.plugins, "ste_pair_strategies", name, "pairs.strategies")
        replies = _ask_worse(session, name, strategy, answered)
        for instruction in answered:
            made = read_pair(
                instruction, name, strategy, replies[instruction.key], better, answered
            )
            (drops if isinstance(made, Drop) else pairs).append(made)  # type: ignore[arg-type]
    return pairs, drops


def _ask_worse(
    session: "Session", name: str, strategy: PairStrategy, instructions: Sequence[Instruction]
) -> dict[str, list[Completion]]:
    """Return every instruction's replies, asked call after call until the strategy has enough."""
    replies: dict[str, list[Completion]] = {i.key: [] for i in instructions}
    going = list(instructions)
    while going:
        # A reply that is empty or cut off ends its pair: later calls would build on it.
        going = [
            i
            for i in going
            if all(r.finish_reason == "stop" and r.text.strip() for r in replies[i.key])
        ]
        asked = [(i, strategy.next_prompt(i, [r.text for r in replies[i.key]])) for i in going]
        prompts = [(i, prompt) for i, prompt in asked if prompt is not None]
        version = f"{name}-{strategy.version}"
        found = _ask(
            session, [prompt for _, prompt in prompts], version, f"writing worse answers ({name})"
        )
        for (instruction, _), completion in zip(prompts, found, strict=True):
            replies[instruction.key].append(completion)
        going = [instruction for instruction, _ in prompts]
    return replies


def _ask(
    session: "Session", prompts: Sequence[tuple[Message, ...]], version: str, title: str
) -> list[Completion]:
    """Return the generator's replies; the run's system turn goes before prompts without their own."""
    config = session.config.pairs
    sampling = Sampling(config.temperature, config.top_p, config.max_new_tokens)
    system = (Message("system", config.system),) if config.system else ()
    model = session.generator_identity  # reads the model's folder: once, not for every request
    requests = [
        ChatRequest(
            model,
            prompt if prompt[0].role == "system" else system + prompt,
            sampling,
            format_version=version,
        )
        for prompt in prompts
    ]
    path = session.folder.pool / "pairs.completions.jsonl"
    return ask(session.generator, requests, path, session.watch, title)


def _check_splits(
    splits: dict[str, list[ResponsePair]], config: RunConfig, drops: Sequence[Drop]
) -> None:
    fractions = {"dev": config.dataset.dev_fraction, "test": config.dataset.test_fraction}
    needed = ["train", *(name for name, share in fractions.items() if share)]
    empty = [name for name in needed if not splits[name]]
    if empty:
        reasons = Counter(f"{d.stage}: {d.reason}" for d in drops).most_common(5)
        told = "\n".join(f"  {n} x {reason}" for reason, n in reasons) or "  (nothing was dropped)"
        raise DataError(
            f"No pair is left for {' and '.join(empty)} "
            f"({', '.join(f'{n} {len(p)}' for n, p in splits.items())}). Dropped on the way:\n{told}\n"
            "Give more instructions, or mend what drops them, or change dataset.dev_fraction and "
            "test_fraction."
        )


def _write_held_out(folder: Path, name: str, pairs: Sequence[ResponsePair]) -> str:
    rows = [
        {
            "id": p.key,
            "subset": p.strategy,
            "prompt": p.instruction,
            "chosen": p.better,
            "rejected": p.worse,
        }
        for p in pairs
    ]
    file = f"{name}-{content_key(rows)}.jsonl"
    replace_rows(folder / file, rows)
    return file
