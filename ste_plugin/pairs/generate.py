"""What the generator writes: labels of instructions, good answers, and worse ones by strategy."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack

from ste_plugin.context import RunContext
from ste_plugin.inference.dispatch import StoredCompletions
from ste_plugin.inference.requests import Prompt
from ste_plugin.instructions.selection import LABEL_VERSION
from ste_plugin.pairs.answered import AnsweredInstructions, StoredAnswers
from ste_plugin.pairs.calls import calls_of
from ste_plugin.pairs.shown_columns import columns_to_show, with_columns
from ste_plugin.pairs.strategies import Instructions, PairStrategy, read_answer, read_pair
from ste_plugin.pairs.strategy_replies import ask_strategies
from ste_plugin.pairs.writers import ask_writer, find_strategy, generator, weaker_name
from ste_plugin.records import Drop, Instruction, ResponsePair
from ste_plugin.storage.drop_log import hold_records


def ask_for_labels(context: RunContext, prompts: Iterable[Prompt], count: int) -> StoredCompletions:
    """Return the generator's replies to `count` prompts for labels, sampled greedily, in order."""
    writer = generator(context, "labels")
    requests = (writer.requests.label(prompt, LABEL_VERSION) for prompt in prompts)
    return ask_writer(context, writer, requests, count, "labelling instructions", limit="")


def make_pairs(
    context: RunContext, instructions: Instructions, drop: Callable[[Drop], object]
) -> Iterator[ResponsePair]:
    """Yield the pairs of all strategies; `drop` gets those that could not be made.

    Pairs of one instruction are adjacent, so that requests about them share a prefix.
    """
    answers = _write_answers(context, instructions)
    answered = AnsweredInstructions(instructions, _usable(instructions, answers, drop))
    better = StoredAnswers(answered, answers)
    strategies = _strategies(context)
    replies = ask_strategies(context, strategies, answered, better)
    weaker, columns = weaker_name(context), columns_to_show(context)
    with ExitStack() as stack:
        unmade = {
            n: stack.enter_context(hold_records(context.folder.pool, Drop)) for n in strategies
        }
        for position, instruction in enumerate(answered):
            good = better.at(position)
            for name, strategy in strategies.items():
                reply = replies[name].of(position)
                pair = read_pair(instruction, good, name, strategy, reply, better, answered, weaker)
                if isinstance(pair, Drop):
                    unmade[name].add([pair])
                else:
                    yield with_columns(pair, instruction, columns)
        for held in unmade.values():
            for one in held:
                drop(one)


def make_pairs_by_calls(context: RunContext, instructions: Instructions) -> list[ResponsePair]:
    """Return the pairs of strategies that call a model: the others need the whole pool.

    All completions are stored, so that making the pairs of the whole pool finds them.
    """
    pairs = make_pairs(context, instructions, lambda _: None)
    calling = {
        name
        for name, strategy in _strategies(context).items()
        if any(_calls_model(strategy, instruction) for instruction in instructions)
    }
    return [pair for pair in pairs if pair.strategy in calling]


def _calls_model(strategy: PairStrategy, instruction: Instruction) -> bool:
    """Return whether a strategy has anything to ask about an instruction; any answer will do."""
    answer = [instruction.text] if calls_of(strategy).sees_answer else []
    return strategy.next_prompt(instruction, answer) is not None


def _strategies(context: RunContext) -> Mapping[str, PairStrategy]:
    return {name: find_strategy(context, name) for name in context.config.pairs.strategies}


def _write_answers(context: RunContext, instructions: Instructions) -> StoredCompletions:
    """Return what the generator answers to each instruction."""
    writer = generator(context)
    requests = (writer.requests.answer(instruction) for instruction in instructions)
    title, count = "writing answers", len(instructions)
    return ask_writer(context, writer, requests, count, title, may_be_equal=False)


def _usable(
    instructions: Instructions, answers: StoredCompletions, drop: Callable[[Drop], object]
) -> Iterator[int]:
    """Yield the positions of instructions with a good answer."""
    for position in range(len(instructions)):
        completion = None if answers.is_finished(position) else answers.read(position)
        answer = read_answer(instructions[position], completion) if completion else ""
        if isinstance(answer, Drop):
            drop(answer)
        else:
            yield position
