"""The first answers of a stage are looked at before the others are paid for."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.errors import SteError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.probe_checks import (
    Answer,
    Stage,
    describe,
    find_problem,
    is_usable,
)

PROMPTS = 8
"""How many different prompts are asked first."""


class Probe:
    """The first answers of one stage by one model.

    Answers that are stored already count, as far as they can be used; only what is missing of the
    handful is asked ahead of the rest. Requests and their keys stay the same.
    """

    def __init__(self, stage: Stage, say: Callable[[str], object]) -> None:
        self._stage, self._say = stage, say
        self._recalled: list[Answer] = []
        self._asked: dict[str, ChatRequest] = {}
        self._answers: list[Answer] = []
        self._prompts: set[str] = set()
        self.done = False
        """Whether the stage goes on without looking."""

    def recall(self, request: ChatRequest, store: CompletionStore) -> None:
        """Take the answer that is stored to a request, if there is one: it was looked at before."""
        if self.done or len(self._prompts) >= PROMPTS or request.prompt_key in self._prompts:
            return
        completion = store.get(request.key)
        if completion and is_usable(completion):
            self._prompts.add(request.prompt_key)
            self._recalled.append(Answer(request, completion))

    def split(
        self, requests: Iterable[ChatRequest]
    ) -> tuple[Iterator[ChatRequest], Iterator[ChatRequest]]:
        """Return the requests of the first few prompts, and, to be read after them, the others.

        All samples of a prompt stay together, so that engines are asked in the same calls.
        """
        remaining, next_prompt = iter(requests), list[ChatRequest]()

        def handful() -> Iterator[ChatRequest]:
            for request in remaining:
                if request.prompt_key not in self._prompts and len(self._prompts) >= PROMPTS:
                    next_prompt.append(request)
                    return
                self._prompts.add(request.prompt_key)
                self._asked[request.key] = request
                yield request

        return handful(), chain(_drain(next_prompt), remaining)

    def add(self, completion: Completion) -> None:
        """Take an answer of the handful."""
        if request := self._asked.get(completion.key):
            self._answers.append(Answer(request, completion))

    def conclude(self) -> SteError | None:
        """Return the error for what is certainly wrong, or None; a person is told of the rest."""
        if not self._answers and not self._recalled:
            return None
        answers = [*self._recalled, *self._answers]
        problem = find_problem(self._stage, answers) if self._answers else None
        if problem is None:
            self.done = True
            self._say(describe(self._stage, answers))
        return problem


class Probes:
    """The probes of a run: each stage has one for each model that it asks."""

    def __init__(self, say: Callable[[str], object] = lambda _: None) -> None:
        """`say` shows a person one line."""
        self._say = say
        self._begun: dict[Stage, Probe] = {}

    def of(self, stage: Stage) -> Probe:
        """Return the probe of a stage, the same one however often the stage asks."""
        return self._begun.setdefault(stage, Probe(stage, self._say))


def _drain(items: list[ChatRequest]) -> Iterator[ChatRequest]:
    """Yield what the list holds once it is read."""
    yield from items
