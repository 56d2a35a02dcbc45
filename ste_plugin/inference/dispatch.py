"""Asking an engine for what is still owed, and keeping every completion as soon as it comes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.errors import EngineError
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.progress import Bar, ProgressReporter


def owed(requests: Iterable[ChatRequest], file: CompletionStore) -> Iterator[ChatRequest]:
    """Yield the requests nobody has answered yet, each once, in order."""
    seen: set[str] = set()
    for request in requests:
        if request.key not in file and request.key not in seen:
            seen.add(request.key)
            yield request


def ask(
    engine: Engine, requests: Sequence[ChatRequest], file: CompletionStore, progress: ProgressReporter,
    budget: Budget, title: str,
) -> list[Completion]:  # fmt: skip
    """Return the completions of `requests` in their order; only those still owed are generated.

    Those that the budget did not reach are empty and end for that reason.
    Raises: EngineError where the engine left some unanswered.
    """
    wanted = list(owed(requests, file))
    with progress.bar(title, len(wanted)) as bar:
        fill(engine, wanted, file, bar, budget, title)
    return [file.get(r.key) or Completion(r.key, "", "budget", 0, 0) for r in requests]


def fill(
    engine: Engine, wanted: Iterable[ChatRequest], file: CompletionStore, bar: Bar, budget: Budget,
    title: str, took: Callable[[Completion], object] = lambda _: None,
) -> None:  # fmt: skip
    """Have requests answered, none of them in the file yet, as far as the budget goes.

    `took` is given every completion once it is on file. What it raises ends the asking, once all that is
    in flight, and paid for, is on file.
    Raises: EngineError where the engine left some unanswered.
    """
    taken = answered = 0
    failure: Exception | None = None

    def given() -> Iterator[ChatRequest]:
        nonlocal taken
        for request in budget.ration(wanted):
            if failure:
                return
            taken += 1
            yield request

    requests = given()
    first = next(requests, None)
    if first is None:  # no model is loaded for nothing
        return
    with file.appended() as appender:
        for completion in engine.complete(chain((first,), requests)):
            appender.add(completion)
            budget.spend(completion.completion_tokens)
            bar.step(completion.completion_tokens)
            answered += 1
            try:
                if failure is None:
                    took(completion)
            except Exception as error:
                failure = error
    if failure:
        raise failure
    left, more = taken - answered, next(requests, None) is not None
    if left or more:
        raise EngineError(
            f"{title}: the engine left {left} of {taken - more} requests unanswered"
            f"{', and others not even taken' if more else ''}. Run the same command again: only these "
            "are asked for."
        )
