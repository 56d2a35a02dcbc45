"""Asking an engine for what is still owed, and keeping every completion as soon as it comes."""

from collections.abc import Iterable, Iterator, Sequence

from ste_plugin.budget import Budget
from ste_plugin.completions import CompletionFile
from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.errors import EngineError
from ste_plugin.watch import Watch


def owed(requests: Iterable[ChatRequest], file: CompletionFile) -> Iterator[ChatRequest]:
    """Yield the requests nobody has answered yet, each once, in order."""
    seen: set[str] = set()
    for request in requests:
        if request.key not in file and request.key not in seen:
            seen.add(request.key)
            yield request


def ask(
    engine: Engine, requests: Sequence[ChatRequest], file: CompletionFile, watch: Watch,
    budget: Budget, title: str,
) -> list[Completion]:  # fmt: skip
    """Return the completions of `requests` in their order; only those still owed are generated.

    Those that the budget did not reach are empty and end for that reason.
    Raises: EngineError where the engine left some unanswered.
    """
    wanted = list(owed(requests, file))
    fill(engine, wanted, len(wanted), file, watch, budget, title)
    return [file.get(r.key) or Completion(r.key, "", "budget", 0, 0) for r in requests]


def fill(
    engine: Engine, wanted: Iterable[ChatRequest], total: int, file: CompletionFile, watch: Watch,
    budget: Budget, title: str,
) -> None:  # fmt: skip
    """Have requests answered, none of them in the file yet, as far as the budget goes.

    Raises: EngineError where the engine left some unanswered.
    """
    taken = answered = 0

    def given() -> Iterator[ChatRequest]:
        nonlocal taken
        for request in budget.ration(wanted):
            taken += 1
            yield request

    if not total:
        return
    with file.appended() as appender, watch.bar(title, total) as bar:
        for completion in engine.complete(given()):
            appender.add(completion)
            budget.spend(completion.completion_tokens)
            bar.step(completion.completion_tokens)
            answered += 1
    expected = taken if budget.stopped else total
    if answered < expected:
        raise EngineError(
            f"{title}: the engine left {expected - answered} of {expected} requests unanswered. "
            "Run the same command again: only these are asked for."
        )
