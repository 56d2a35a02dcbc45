"""Sending an engine the requests without a completion, and storing each completion on arrival."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from msgspec.structs import replace

from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.errors import EngineError
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import Appender, CompletionStore
from ste_plugin.inference.probe import Probe
from ste_plugin.progress import Bar, ProgressReporter
from ste_plugin.text.thinking import split_thinking


def unanswered(requests: Iterable[ChatRequest], store: CompletionStore) -> Iterator[ChatRequest]:
    """Yield the requests without a completion in the store, each once, in order."""
    seen: set[str] = set()
    for request in requests:
        if request.key not in store and request.key not in seen:
            seen.add(request.key)
            yield request


def complete_requests(
    engine: Engine,
    requests: Sequence[ChatRequest],
    store: CompletionStore,
    progress: ProgressReporter,
    budget: Budget,
    title: str,
    probe: Probe | None = None,
) -> list[Completion]:
    """Return the completions of `requests` in their order; only missing ones are generated.

    Those that the budget did not reach are empty and end for that reason.
    Raises: EngineError where the engine left some unanswered, or the probe finds what is wrong.
    """
    missing = list(unanswered(requests, store))
    if missing and probe:
        for request in requests:
            probe.recall(request, store)
    with progress.bar(title, len(missing)) as bar:
        dispatch(engine, missing, store, bar, budget, title, probe=probe)
    return [store.get(r.key) or Completion(r.key, "", "budget", 0, 0) for r in requests]


def dispatch(
    engine: Engine,
    requests: Iterable[ChatRequest],
    store: CompletionStore,
    bar: Bar,
    budget: Budget,
    title: str,
    on_completion: Callable[[Completion], object] = lambda _: None,
    probe: Probe | None = None,
) -> None:
    """Send requests, none of them answered in the store yet, as far as the budget goes.

    `on_completion` gets every completion once it is stored. An error in it stops the sending, and
    is raised once the completions of all requests in flight are stored: they are paid for.
    With a probe the first few are answered before any other is sent.
    Raises: EngineError where the engine left some unanswered, and the stage's error where the probe
    finds what is wrong; the answers that tell it are removed.
    """
    sender = _Sender(engine, store, bar, budget, title)
    if probe is None or probe.done:
        sender.send(requests, on_completion)
        return
    handful, others = probe.split(requests)
    size = store.size

    def look(completion: Completion) -> None:
        probe.add(completion)
        on_completion(completion)

    sender.send(handful, look)
    if problem := probe.conclude():
        store.remove_from(size)
        raise problem
    sender.send(others, on_completion)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Sends requests to one engine, and stores their completions."""

    engine: Engine
    store: CompletionStore
    bar: Bar
    budget: Budget
    title: str

    def send(
        self, requests: Iterable[ChatRequest], on_completion: Callable[[Completion], object]
    ) -> None:
        """Do what `dispatch` does without a probe."""
        sent = answered = 0
        failure: Exception | None = None

        def taken() -> Iterator[ChatRequest]:
            nonlocal sent
            for request in self.budget.limit(requests):
                if failure:
                    return
                sent += 1
                yield request

        sending = taken()
        first = next(sending, None)
        if first is None:  # loading a model would be in vain
            return
        with self.store.open_appender() as appender:
            for completion in map(take_apart, self.engine.complete(chain((first,), sending))):
                self._keep(completion, appender)
                answered += 1
                try:
                    if failure is None:
                        on_completion(completion)
                except Exception as error:
                    failure = error
        if failure:
            raise failure
        unread = next(sending, None) is not None  # counts that request as sent
        _check_all_answered(self.title, sent - unread, answered, unread)

    def _keep(self, completion: Completion, appender: Appender) -> None:
        """Store a completion, and count its tokens."""
        before = self.store.written_tokens
        appender.add(completion)
        estimated = bool(completion.text) and not self.store.completion_tokens
        self.budget.spend(self.store.written_tokens - before, estimated=estimated)
        self.bar.step(completion.completion_tokens)


def take_apart(completion: Completion) -> Completion:
    """Return a completion with its thinking apart from its answer, as most engines give it."""
    if not isinstance(completion.text, str):  # the store says what is wrong with it
        return completion
    split = split_thinking(completion.text)
    if not split.thinking:
        return completion
    return replace(completion, text=split.said, thinking=completion.thinking + split.thinking)


def _check_all_answered(title: str, sent: int, answered: int, unread: bool) -> None:
    """Raise EngineError where requests have no completion, or were not read at all."""
    if answered != sent or unread:
        raise EngineError(
            f"{title}: the engine left {sent - answered} of {sent} requests unanswered"
            f"{', and did not read the others' if unread else ''}. Run the same command again: "
            "only these are sent."
        )
