"""Sending an engine the requests without a completion, and storing each completion on arrival."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from msgspec.structs import replace

from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.errors import EngineError
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import Appender, CompletionStore
from ste_plugin.inference.offsets import ABSENT
from ste_plugin.inference.probe import Probe
from ste_plugin.inference.share import EVERYTHING, Share
from ste_plugin.progress import Bar, ProgressReporter
from ste_plugin.storage.record_sequence import LazySequence
from ste_plugin.text.thinking import split_thinking

_NOT_ASKED = -1
"""The sample where nothing is asked."""


class StoredCompletions(LazySequence[Completion | None]):
    """The completions of requests in their order, read from their file as they are needed.

    One that the budget did not reach is empty and ends for that reason; None where nothing was
    asked.
    """

    def __init__(
        self, store: CompletionStore, prompts: "array[int]", samples: "array[int]"
    ) -> None:
        """Look for each sample of a prompt, the two being of one index; see `_NOT_ASKED`."""
        self._store, self._prompts, self._samples = store, prompts, samples
        self._places = array("q", map(store.find, prompts, samples))

    def __len__(self) -> int:
        return len(self._prompts)

    @property
    def any_asked(self) -> bool:
        """Whether there was any request."""
        return any(sample != _NOT_ASKED for sample in self._samples)

    def is_finished(self, index: int) -> bool:
        """Return whether there is a completion at an index that ended by itself, not empty."""
        return self._store.is_finished(self._places[index])

    def read(self, index: int) -> Completion | None:
        """Return the completion at an index from 0."""
        place, prompt, sample = self._places[index], self._prompts[index], self._samples[index]
        if place != ABSENT:
            return self._store.read_at(place, prompt, sample)
        if sample == _NOT_ASKED:
            return None
        return Completion(f"{prompt:016x}-{sample}", "", "budget", 0, 0)


class _Unanswered:
    """Reads requests one by one, notes them all, and passes on those to be answered here."""

    def __init__(
        self,
        requests: Iterable[ChatRequest | None],
        store: CompletionStore,
        bar: Bar,
        probe: Probe | None,
        share: Share,
    ) -> None:
        self._prompts, self._samples = array("Q"), array("i")
        self._requests, self._store, self._bar, self._probe = iter(requests), store, bar, probe
        self._share = share
        self._in_flight: set[str] = set()  # keys, as completions name them

    def __iter__(self) -> Iterator[ChatRequest]:
        for request in self._requests:
            self._note(request)
            key = request.key if request else ""
            if request is None or self._is_answered(request) or key in self._in_flight:
                self._bar.step()
            elif self._share.takes(request):
                self._in_flight.add(key)
                yield request

    def _is_answered(self, request: ChatRequest) -> bool:
        if not self._store.holds(self._prompts[-1], self._samples[-1]):
            return False
        if self._probe:
            self._probe.recall(request, self._store)
        return True

    def answered(self, completion: Completion) -> None:
        """Forget a request whose completion is stored."""
        self._in_flight.discard(completion.key)

    def completions(self) -> StoredCompletions:
        """Return the completions of all requests, also of those that nobody has read."""
        for request in self._requests:
            self._note(request)
        return StoredCompletions(self._store, self._prompts, self._samples)

    def _note(self, request: ChatRequest | None) -> None:
        self._prompts.append(request.prompt_number if request else 0)
        self._samples.append(request.sample_index if request else _NOT_ASKED)


def complete_requests(
    engine: Engine,
    requests: Iterable[ChatRequest | None],
    store: CompletionStore,
    progress: ProgressReporter,
    budget: Budget,
    title: str,
    probe: Probe | None = None,
    count: int | None = None,
    share: Share = EVERYTHING,
) -> StoredCompletions:
    """Return the completions of `requests` in their order; only missing ones are generated.

    Requests are read as the engine takes them; `count` says how many there are.
    Raises: EngineError where the engine left some unanswered, or the probe finds what is wrong;
    WaveEnded where some are not in this process's `share`.
    """
    with progress.bar(title, count) as bar:
        unanswered = _Unanswered(requests, store, bar, probe, share)
        missing = iter(unanswered)
        first = next(missing, None)
        if first is not None:  # else there is nothing to look at either
            wanted = chain((first,), missing)
            dispatch(engine, wanted, store, bar, budget, title, unanswered.answered, probe)
    share.end_wave(title)
    return unanswered.completions()


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
    thinking, said, _ = split_thinking(completion.text)
    if not thinking:
        return completion
    return replace(completion, text=said, thinking=completion.thinking + thinking)


def _check_all_answered(title: str, sent: int, answered: int, unread: bool) -> None:
    """Raise EngineError where requests have no completion, or were not read at all."""
    if answered != sent or unread:
        raise EngineError(
            f"{title}: the engine left {sent - answered} of {sent} requests unanswered"
            f"{', and did not read the others' if unread else ''}. Run the same command again: "
            "only these are sent."
        )
