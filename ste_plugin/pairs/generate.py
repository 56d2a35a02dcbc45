"""What the generator writes: labels of instructions, good answers, and worse ones by strategy."""

from collections.abc import Mapping, Sequence

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.inference.dispatch import complete_requests
from ste_plugin.inference.probe_checks import Stage
from ste_plugin.inference.requests import GeneratorRequests, Prompt
from ste_plugin.instructions.selection import LABEL_VERSION
from ste_plugin.pairs.strategies import (
    AnsweredInstructions,
    PairStrategy,
    read_answer,
    read_pair,
)
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Instruction, ResponsePair


def ask_for_labels(context: RunContext, prompts: Sequence[Prompt]) -> list[Completion]:
    """Return the generator's replies to prompts for labels, sampled greedily, in their order."""
    builder = generator_requests(context)
    requests = [builder.label(prompt, LABEL_VERSION) for prompt in prompts]
    return _ask_generator(context, requests, "labels", "labelling instructions", limit="")


def make_pairs(
    context: RunContext, instructions: Sequence[Instruction]
) -> tuple[list[ResponsePair], list[Drop]]:
    """Return the pairs of all strategies, and a Drop for each that could not be made.

    Pairs of one instruction are adjacent, so that requests about them share a prefix.
    """
    better, drops = _write_answers(context, instructions)
    answered = AnsweredInstructions([i for i in instructions if i.key in better])
    pairs: list[ResponsePair] = []
    for name, strategy in _strategies(context).items():
        replies = _write_worse_answers(context, name, strategy, answered)
        for instruction in answered:
            reply = replies[instruction.key]
            pair = read_pair(instruction, name, strategy, reply, better, answered)
            if isinstance(pair, Drop):
                drops.append(pair)
            else:
                pairs.append(pair)
    order = {instruction.key: n for n, instruction in enumerate(answered)}
    return sorted(pairs, key=lambda pair: order[pair.instruction_key]), drops


def make_pairs_by_calls(
    context: RunContext, instructions: Sequence[Instruction]
) -> list[ResponsePair]:
    """Return the pairs of strategies that call a model: the others need the whole pool.

    All completions are stored, so that making the pairs of the whole pool finds them.
    """
    pairs, _ = make_pairs(context, instructions)
    calling = {
        name
        for name, strategy in _strategies(context).items()
        if any(strategy.next_prompt(instruction, []) for instruction in instructions)
    }
    return [pair for pair in pairs if pair.strategy in calling]


def generator_requests(context: RunContext) -> GeneratorRequests:
    """Return the builder of requests to the run's generator; it reads the model's folder."""
    return GeneratorRequests(context.generator_identity, context.config.pairs)


def find_strategy(context: RunContext, name: str) -> PairStrategy:
    """Return a pair strategy. Raises: ConfigError for one that no plugin contributes."""
    strategy: PairStrategy = find_contribution(
        context.plugins, "ste_pair_strategies", name, "pairs.strategies"
    )
    return strategy


def _strategies(context: RunContext) -> Mapping[str, PairStrategy]:
    return {name: find_strategy(context, name) for name in context.config.pairs.strategies}


def _write_answers(
    context: RunContext, instructions: Sequence[Instruction]
) -> tuple[dict[str, str], list[Drop]]:
    """Return instruction key → its good answer, and a Drop for each instruction without one."""
    builder = generator_requests(context)
    requests = [builder.answer(instruction.text) for instruction in instructions]
    title = "writing answers"
    completions = _ask_generator(context, requests, "pairs", title, may_be_equal=False)
    answers: dict[str, str] = {}
    drops: list[Drop] = []
    for instruction, completion in zip(instructions, completions, strict=True):
        answer = read_answer(instruction, completion)
        if isinstance(answer, Drop):
            drops.append(answer)
        else:
            answers[instruction.key] = answer
    return answers, drops


def _write_worse_answers(
    context: RunContext, name: str, strategy: PairStrategy, instructions: Sequence[Instruction]
) -> dict[str, list[Completion]]:
    """Return instruction key → replies, call after call until the strategy has all it needs."""
    builder = generator_requests(context)  # reads the model's folder: once, not for every request
    replies: dict[str, list[Completion]] = {i.key: [] for i in instructions}
    waiting = list(instructions)
    while waiting:
        calls = _next_calls(strategy, waiting, replies)
        requests = [builder.worse_answer(p, name, strategy.version) for _, p in calls]
        title = f"writing worse answers ({name})"
        completions = _ask_generator(context, requests, "pairs", title)
        for (instruction, _), completion in zip(calls, completions, strict=True):
            replies[instruction.key].append(completion)
        waiting = [instruction for instruction, _ in calls]
    return replies


def _next_calls(
    strategy: PairStrategy,
    instructions: Sequence[Instruction],
    replies: Mapping[str, Sequence[Completion]],
) -> list[tuple[Instruction, Prompt]]:
    """Return the instructions that need another call, with its prompt."""
    calls = []
    for instruction in instructions:
        earlier = replies[instruction.key]
        # A reply that is empty or cut off ends its pair: later calls would build on it.
        if all(r.finish_reason == "stop" and r.text.strip() for r in earlier):
            prompt = strategy.next_prompt(instruction, [r.text for r in earlier])
            if prompt is not None:
                calls.append((instruction, prompt))
    return calls


def _ask_generator(
    context: RunContext,
    requests: Sequence[ChatRequest],
    name: str,
    title: str,
    limit: str = "pairs.max_new_tokens",
    *,
    may_be_equal: bool = True,
) -> list[Completion]:
    """Return the generator's completions, kept in the pool's file of that name.

    `limit` and `may_be_equal` are those of the probe's `Stage`.
    """
    store = context.stores.open(context.folder.pool / f"{name}.completions.jsonl")
    stage = Stage(title, context.generator_model.model, limit, may_be_equal)
    return complete_requests(
        context.generator,
        requests,
        store,
        context.progress,
        context.budget,
        title,
        context.probes.of(stage),
    )
