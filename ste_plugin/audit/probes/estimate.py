"""How much is still to be asked, told before the first question; and how long it takes, after."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import ceil, sqrt
from typing import NamedTuple

from ste_plugin.audit.probes.probe import Arm
from ste_plugin.engines.base import ChatRequest, Completion, Engine

Stored = Callable[[ChatRequest], Completion | None]
"""A request → the completion that is kept for it."""

_SAMPLES = 32
_LIKELY_MOVED = 0.2
_MARKS = (0.05, 0.25, 0.5, 0.75)
"""Shares of a judge's questions after which the time left is told."""
_LEAST_S = 10.0
"""Seconds that have to pass before: less says nothing of the rest, or there is little of it."""
_GAP_S = 0.1
"""Answers of one batch come at once: between two that are further apart a batch has ended."""
_LONG_MIN = 90


class Owed(NamedTuple):
    """What one judge is asked."""

    questions: int
    """In all."""
    kept: int
    """Those that it has answered before."""
    characters: int
    """Of the prompts of the others."""
    samples: tuple[ChatRequest, ...] = ()
    """A few of these prompts, of all kinds, to count tokens of."""

    @property
    def open(self) -> int:
        """Return how many are still to be answered."""
        return self.questions - self.kept


def count_owed(arms: Sequence[Arm], requests: Iterable[ChatRequest], stored: Stored) -> Owed:
    """Return what a judge is asked about these arms.

    `requests`: those that are known before anything is asked. A second verdict, whose request
    depends on the first, counts as long as a first one.
    """
    by_key = {request.key: request for request in requests}
    doubts = {arm.follow_up for arm in arms if arm.follow_up}
    seconds = {r.messages for r in by_key.values() if r.messages[-1].content in doubts}
    unknown = max(0, 2 * sum(bool(arm.follow_up) for arm in arms) - len(seconds))
    is_open = [r for r in by_key.values() if stored(r) is None]
    sizes = list(map(size_of, is_open))
    mean = sum(map(size_of, by_key.values())) / max(1, len(by_key))
    return Owed(
        len(by_key) + unknown,
        len(by_key) - len(is_open),
        sum(sizes) + round(unknown * mean),
        tuple(is_open[:: len(is_open) // _SAMPLES + 1]),
    )


def size_of(request: ChatRequest) -> int:
    """Return the characters of a request's prompt, by which its time is told."""
    return sum(len(message.content) for message in request.messages) + len(request.prefix)


def reach_of(prompts: int, moved: float) -> float:
    """Return how far a 95% interval reaches to either side where a share of the pairs moved.

    >>> round(reach_of(100, 1.0), 3)
    0.196
    """
    return 1.96 * sqrt(moved / max(1, prompts))


def describe(
    asked: str, prompts: int, owed: Mapping[str, Owed], tokens_per_character: float | None
) -> str:
    """Return what will be asked, in a line: questions, tokens where known, and what they buy."""
    questions = sum(each.questions for each in owed.values())
    kept = sum(each.kept for each in owed.values())
    judges = f"{len(owed)} judge{'s' * (len(owed) > 1)} ({', '.join(owed)})"
    told = f"probes: {asked}, {judges}: {questions:,} questions"
    if kept == questions:
        return f"{told}, all answered already."
    if kept:
        told += f", {kept:,} of them answered already"
    if tokens_per_character:
        tokens = sum(each.characters for each in owed.values()) * tokens_per_character
        told += f"; about {_rounded(tokens):,} tokens to read"
    return (
        f"{told}. 95% intervals reach about ±{reach_of(prompts, _LIKELY_MOVED):.2f} where one pair "
        f"in five moves, ±{reach_of(prompts, 1.0):.2f} at most. --pairs and --probe (or "
        "audit.pairs and audit.probes) change how much is asked; what is answered is kept."
    )


def _rounded(tokens: float) -> int:
    """Return a number to two digits: it is an estimate."""
    return int(float(f"{tokens:.1e}"))


class Pace:
    """Says how fast judges answer, and how long what is left of all of them takes."""

    def __init__(
        self,
        owed: Mapping[str, Owed],
        say: Callable[[str], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owed`: judge → what it is asked, in the order in which they are asked."""
        self._owed, self._say, self._now = owed, say, now

    def of(self, judge: str, engine: Engine) -> Engine:
        """Return the judge's engine, whose answers are timed."""
        if self._judge != judge:
            self._begin(judge)
        return _TimedEngine(engine, self)

    _judge = ""

    def _begin(self, judge: str) -> None:
        self._judge = judge
        self._answered = self._characters = self._read = self._written = 0
        self._began: float | None = None
        self._last = self._now()
        self._since = (0, 0)
        self._marks = list(_MARKS)

    def took(self, number: int) -> None:
        """Count that an engine has taken so many requests of one call.

        The clock starts at the second: a model may be loaded after the first was taken.
        """
        if self._began is None and number > 1:
            self._began = self._now()
            self._since = (self._answered, self._characters)

    def answered(self, completion: Completion, characters: int) -> None:
        """Count an answer to a prompt of so many characters, and say how long is left."""
        now = self._now()
        if now - self._last >= _GAP_S:
            self._tell_if_due()
        self._last = now
        self._answered += 1
        self._characters += characters
        self._read += completion.prompt_tokens
        self._written += completion.completion_tokens

    def _tell_if_due(self) -> None:
        """Say how long is left, where enough was answered: of a batch all is counted, or none."""
        elapsed = 0.0 if self._began is None else self._last - self._began
        passed = [m for m in self._marks if self._answered >= m * self._owed[self._judge].open]
        if passed and elapsed >= _LEAST_S:
            self._marks = [m for m in self._marks if m not in passed]
            self._tell(elapsed)

    def _tell(self, elapsed: float) -> None:
        own = self._owed[self._judge]
        answers, characters = self._answered - self._since[0], self._characters - self._since[1]
        a_character = elapsed / max(1, characters)
        left = max(0, own.characters - self._characters) * a_character
        names = list(self._owed)
        later = [self._owed[name] for name in names[names.index(self._judge) + 1 :]]
        others = sum(each.characters for each in later) * a_character
        told = f"about {_minutes(left)} left"
        if others:
            told += f" for it, {_minutes(left + others)} for all judges"
        self._say(
            f"probing {self._judge}: {own.kept + self._answered:,} of {own.questions:,} questions "
            f"answered, {_rate(answers / elapsed)}{self._tokens()}; {told}."
        )

    def _tokens(self) -> str:
        if not self._read:
            return ""
        read, written = self._read / self._answered, self._written / self._answered
        return f" ({read:.0f} tokens read and {written:.0f} written each)"


def _rate(a_second: float) -> str:
    return f"{a_second:.1f} a second" if a_second >= 1 else f"{60 * a_second:.0f} a minute"


def _minutes(seconds: float) -> str:
    minutes = ceil(seconds / 60)
    return f"{minutes} min" if minutes < _LONG_MIN else f"{seconds / 3600:.1f} h"


class _TimedEngine:
    """An engine whose requests and completions are counted as they pass."""

    def __init__(self, engine: Engine, pace: Pace) -> None:
        self._engine, self._pace = engine, pace

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield the engine's completions."""
        sizes: dict[str, int] = {}

        def taken() -> Iterator[ChatRequest]:
            for number, request in enumerate(requests, start=1):
                self._pace.took(number)
                sizes[request.key] = size_of(request)
                yield request

        for completion in self._engine.complete(taken()):
            self._pace.answered(completion, sizes.pop(completion.key, 0))
            yield completion

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
