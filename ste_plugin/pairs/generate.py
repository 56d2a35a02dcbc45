"""What the generator writes: labels of instructions, good answers, and what strategies make worse ones of."""

from collections.abc import Sequence

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import ask
from ste_plugin.inference.requests import GeneratorRequests, Prompt
from ste_plugin.instructions.selection import LABEL_VERSION
from ste_plugin.pairs.strategies import PairStrategy, read_answer, read_pair
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Instruction, ResponsePair


def ask_labels(context: RunContext, prompts: Sequence[Prompt]) -> list[Completion]:
    """Return the generator's replies to questions for labels, greedily drawn, in their order."""
    make = requests_of(context)
    requests = [make.label(prompt, LABEL_VERSION) for prompt in prompts]
    return _answers(context, requests, "labels", "labelling instructions")


def make_pairs(
    context: RunContext, instructions: Sequence[Instruction]
) -> tuple[list[ResponsePair], list[Drop]]:
    """Return the pairs of all strategies, and a Drop for each that could not be made.

    Those of one instruction stand side by side: what is asked about them begins with the same words.
    """
    make = requests_of(context)
    requests = [make.answer(instruction.text) for instruction in instructions]
    answers = _answers(context, requests, "pairs", "writing answers")
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
    for name in context.config.pairs.strategies:
        strategy = _strategy(context, name)
        replies = _ask_worse(context, name, strategy, answered)
        for instruction in answered:
            made = read_pair(
                instruction, name, strategy, replies[instruction.key], better, answered
            )
            (drops if isinstance(made, Drop) else pairs).append(made)  # type: ignore[arg-type]
    places = {instruction.key: n for n, instruction in enumerate(answered)}
    return sorted(pairs, key=lambda pair: places[pair.instruction_key]), drops


def made_by_calls(context: RunContext, instructions: Sequence[Instruction]) -> list[ResponsePair]:
    """Return the pairs of strategies that call a model: those of the others need the whole pool.

    Their completions are on file when all pairs are made.
    """
    pairs, _ = make_pairs(context, instructions)
    strategies = {n: _strategy(context, n) for n in context.config.pairs.strategies}
    calls = {n for n, s in strategies.items() if any(s.next_prompt(i, []) for i in instructions)}
    return [pair for pair in pairs if pair.strategy in calls]


def requests_of(context: RunContext) -> GeneratorRequests:
    """Return what makes the requests to the run's generator; reads the model's folder."""
    return GeneratorRequests(context.generator_identity, context.config.pairs)


def _strategy(context: RunContext, name: str) -> PairStrategy:
    found: PairStrategy = find_contribution(
        context.plugins, "ste_pair_strategies", name, "pairs.strategies"
    )
    return found


def _ask_worse(
    context: RunContext, name: str, strategy: PairStrategy, instructions: Sequence[Instruction]
) -> dict[str, list[Completion]]:
    """Return every instruction's replies, asked call after call until the strategy has enough."""
    make = requests_of(context)  # reads the model's folder: once, not for every request
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
        requests = [make.worse_answer(p, name, strategy.version) for _, p in prompts]
        found = _answers(context, requests, "pairs", f"writing worse answers ({name})")
        for (instruction, _), completion in zip(prompts, found, strict=True):
            replies[instruction.key].append(completion)
        going = [instruction for instruction, _ in prompts]
    return replies


def _answers(
    context: RunContext, requests: Sequence[ChatRequest], name: str, title: str
) -> list[Completion]:
    file = CompletionStore(context.folder.pool / f"{name}.completions.jsonl")
    return ask(context.generator, requests, file, context.progress, context.budget, title)
