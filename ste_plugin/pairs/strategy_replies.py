"""What strategies' calls are replied: asked call after call, for all instructions at once."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.inference.dispatch import StoredCompletions
from ste_plugin.inference.share import WaveEnded
from ste_plugin.pairs.answered import AnsweredInstructions, StoredAnswers
from ste_plugin.pairs.calls import calls_of, find_problem, usable_texts
from ste_plugin.pairs.strategies import PairStrategy
from ste_plugin.pairs.writers import Writer, ask_writer, writer_of
from ste_plugin.records import Instruction


class StrategyCalls:
    """The requests of one strategy: which come next for an instruction, given what was replied."""

    def __init__(self, name: str, strategy: PairStrategy, writer: Writer, samples: int) -> None:
        """`samples`: how often a prompt is asked where the strategy wants several answers."""
        self._name, self._strategy, self._writer = name, strategy, writer
        self.kind = calls_of(strategy)
        self.width = samples if self.kind.sampled else 1
        """How many requests a prompt makes."""

    def next_requests(
        self, instruction: Instruction, good: str, replies: Sequence[Completion]
    ) -> list[ChatRequest]:
        """Return the requests of the next call, samples of one prompt; none where none is left.

        `good` is the good answer, wanted where the strategy sees it. A reply that is empty or cut
        off ends its pair: later calls would build on it.
        """
        if find_problem(replies, self.kind):
            return []
        texts = [good] * self.kind.sees_answer + usable_texts(replies)
        prompt = self._strategy.next_prompt(instruction, texts)
        if prompt is None:
            return []
        name = self.kind.asked_as or self._name
        first = self._writer.requests.worse_answer(prompt, name, self._strategy.version)
        return [first.with_sample_index(index) for index in range(self.width)]


class StrategyReplies:
    """What was replied to a strategy's calls for each instruction."""

    def __init__(self, width: int) -> None:
        """`width`: how many requests each call made."""
        self._width = width
        self.rounds: list[StoredCompletions] = []
        """Of each call all instructions' completions, `width` of each."""

    def of(self, position: int) -> list[Completion]:
        """Return the replies for one instruction, in the order of the calls."""
        own = range(position * self._width, (position + 1) * self._width)
        found = (answers.read(index) for answers in self.rounds for index in own)
        return [reply for reply in found if reply]


def ask_strategies(
    context: RunContext,
    strategies: Mapping[str, PairStrategy],
    instructions: AnsweredInstructions,
    better: StoredAnswers,
) -> dict[str, StrategyReplies]:
    """Return what was replied to each strategy's calls.

    Raises: WaveEnded where some are left to others; no strategy waits for another's.
    """
    replies: dict[str, StrategyReplies] = {}
    ended: WaveEnded | None = None
    for name, strategy in strategies.items():
        try:
            replies[name] = _ask(context, name, strategy, instructions, better)
        except WaveEnded as wave:
            ended = WaveEnded(ended.title if ended else wave.title, wave.left)
    if ended:
        raise ended
    return replies


def _ask(
    context: RunContext,
    name: str,
    strategy: PairStrategy,
    instructions: AnsweredInstructions,
    better: StoredAnswers,
) -> StrategyReplies:
    """Return the replies, call after call until the strategy has all it needs."""
    writer = writer_of(context, strategy)  # reads the model's folder: once, not for every request
    calls = StrategyCalls(name, strategy, writer, context.config.pairs.samples)
    replies = StrategyReplies(calls.width)
    title, count = f"writing worse answers ({name})", len(instructions) * calls.width
    while True:
        requests = _next_requests(calls, instructions, better, replies)
        answers = ask_writer(context, writer, requests, count, title)
        if not answers.any_asked:
            return replies
        replies.rounds.append(answers)


def _next_requests(
    calls: StrategyCalls,
    instructions: AnsweredInstructions,
    better: StoredAnswers,
    replies: StrategyReplies,
) -> Iterator[ChatRequest | None]:
    """Yield the requests of each instruction's next call, or as many None where it needs none."""
    needed = len(replies.rounds) * calls.width
    for position, instruction in enumerate(instructions):
        earlier = replies.of(position)
        wanted: list[ChatRequest] = []
        if len(earlier) == needed:  # else it has none left
            good = better.at(position) if calls.kind.sees_answer else ""
            wanted = calls.next_requests(instruction, good, earlier)
        yield from wanted or repeat(None, calls.width)
