"""What the generator writes: labels of instructions, good answers, and worse ones by strategy."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.inference.dispatch import StoredCompletions, complete_requests
from ste_plugin.inference.probe_checks import Stage
from ste_plugin.inference.requests import GeneratorRequests, Prompt
from ste_plugin.inference.share import WaveEnded
from ste_plugin.instructions.selection import LABEL_VERSION
from ste_plugin.pairs.answered import AnsweredInstructions, StoredAnswers
from ste_plugin.pairs.strategies import Instructions, PairStrategy, read_answer, read_pair
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, ResponsePair
from ste_plugin.storage.drop_log import hold_drops
from ste_plugin.storage.record_sequence import LazySequence


def ask_for_labels(context: RunContext, prompts: Iterable[Prompt], count: int) -> StoredCompletions:
    """Return the generator's replies to `count` prompts for labels, sampled greedily, in order."""
    builder = generator_requests(context)
    requests = (builder.label(prompt, LABEL_VERSION) for prompt in prompts)
    return _ask_generator(context, requests, count, "labels", "labelling instructions", limit="")


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
    replies = _write_all_worse_answers(context, strategies, answered)
    with ExitStack() as stack:
        unmade = {n: stack.enter_context(hold_drops(context.folder.pool)) for n in strategies}
        for position, instruction in enumerate(answered):
            good = better.at(position)
            for name, strategy in strategies.items():
                reply = replies[name].of(position)
                pair = read_pair(instruction, good, name, strategy, reply, better, answered)
                if isinstance(pair, Drop):
                    unmade[name].add([pair])
                else:
                    yield pair
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


def _write_answers(context: RunContext, instructions: Instructions) -> StoredCompletions:
    """Return what the generator answers to each instruction."""
    builder = generator_requests(context)
    requests = (builder.answer(instruction.text) for instruction in instructions)
    title, count = "writing answers", len(instructions)
    return _ask_generator(context, requests, count, "pairs", title, may_be_equal=False)


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


class _Replies:
    """What the generator replied to a strategy's calls for each instruction."""

    def __init__(self) -> None:
        self.rounds: list[StoredCompletions] = []

    def of(self, position: int) -> list[Completion]:
        """Return the replies for one instruction, in the order of the calls."""
        return [reply for answers in self.rounds if (reply := answers.read(position))]

    def are_finished(self, position: int) -> bool:
        """Return whether all calls for one instruction were made, and answered in full."""
        return all(answers.is_finished(position) for answers in self.rounds)


class _Texts(LazySequence[str]):
    """The texts of the replies for one instruction, read when a strategy looks at them."""

    def __init__(self, replies: _Replies, position: int) -> None:
        self._rounds, self._position = replies.rounds, position

    def __len__(self) -> int:
        return len(self._rounds)

    def read(self, index: int) -> str:
        """Return the text of the reply to a call, by its index from 0."""
        reply = self._rounds[index].read(self._position)
        return reply.text if reply else ""


def _write_all_worse_answers(
    context: RunContext, strategies: Mapping[str, PairStrategy], instructions: Instructions
) -> dict[str, _Replies]:
    """Return what was replied to each strategy's calls.

    Raises: WaveEnded where some are left to others; no strategy waits for another's.
    """
    replies: dict[str, _Replies] = {}
    ended: WaveEnded | None = None
    for name, strategy in strategies.items():
        try:
            replies[name] = _write_worse_answers(context, name, strategy, instructions)
        except WaveEnded as wave:
            ended = WaveEnded(ended.title if ended else wave.title, wave.left)
    if ended:
        raise ended
    return replies


def _write_worse_answers(
    context: RunContext, name: str, strategy: PairStrategy, instructions: Instructions
) -> _Replies:
    """Return the replies, call after call until the strategy has all it needs."""
    builder = generator_requests(context)  # reads the model's folder: once, not for every request
    replies = _Replies()
    while True:
        prompts = _next_prompts(strategy, instructions, replies)
        requests = (builder.worse_answer(p, name, strategy.version) if p else None for p in prompts)
        title, count = f"writing worse answers ({name})", len(instructions)
        answers = _ask_generator(context, requests, count, "pairs", title)
        if not answers.any_asked:
            return replies
        replies.rounds.append(answers)


def _next_prompts(
    strategy: PairStrategy, instructions: Instructions, replies: _Replies
) -> Iterator[Prompt | None]:
    """Yield for each instruction the prompt of its next call, or None where it needs none."""
    for position, instruction in enumerate(instructions):
        # A reply that is empty or cut off ends its pair: later calls would build on it.
        if replies.are_finished(position):
            yield strategy.next_prompt(instruction, _Texts(replies, position))
        else:
            yield None


def _ask_generator(
    context: RunContext,
    requests: Iterable[ChatRequest | None],
    count: int,
    name: str,
    title: str,
    limit: str = "pairs.max_new_tokens",
    *,
    may_be_equal: bool = True,
) -> StoredCompletions:
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
        count,
        context.share,
    )
