"""The seam to every model: chat requests, completions, and what an engine does with them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Literal, Protocol, Self, runtime_checkable

import msgspec
from msgspec.structs import replace

from ste_plugin.config import RunConfig, ServeConfig
from ste_plugin.records import Record, canonical, canonical_texts, content_key, key_of


class Message(msgspec.Struct, frozen=True, gc=False):
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Sampling:
    """How the next tokens are drawn. Temperature 0 is greedy."""

    temperature: float = 0.7
    top_p: float = 0.9
    max_new_tokens: int = 512

    @cached_property
    def canonical(self) -> bytes:
        """Return it as it is part of keys: millions of requests share one."""
        return canonical((self.temperature, self.top_p, self.max_new_tokens))


class ChatRequest(msgspec.Struct, frozen=True, dict=True):
    """One completion that is wanted: one sample of one prompt."""

    model: str
    """Model id or folder, with its revision: two revisions never share a key."""
    messages: tuple[Message, ...]
    sampling: Sampling
    sample_index: int = 0
    """Which of several samples of one prompt this is."""
    prefix: str = ""
    """The beginning of the assistant's turn; the completion continues it and leaves it out."""
    choices: tuple[str, ...] = ()
    """If given, the completion is exactly one of these, drawn by the model's own probabilities; at
    temperature 0 the likeliest, and empty where the engine sees that all are as likely."""
    format_version: str = ""
    """Name and version of the prompt that made the request."""
    affinity: str = ""
    """What requests have in common whose prompts begin alike, as the key of their instruction: of
    several servers they go to one, which reads that beginning once. No part of keys."""
    thought: str = ""
    """What the assistant thought before `prefix`, with its marks, where choices' likelihoods are
    asked for behind a thought; completions follow none."""

    @cached_property
    def prompt_key(self) -> str:
        """Return the key of what all samples of one prompt have in common."""
        turns = [(m.role, m.content) for m in self.messages]
        before = canonical_texts((self.model, turns))
        thought = [self.thought] if self.thought else []
        after = canonical_texts((self.prefix, self.choices, self.format_version, *thought))
        return key_of(b"%b,%b,%b" % (before[:-1], self.sampling.canonical, after[1:]))

    @property
    def prompt_number(self) -> int:
        """Return `prompt_key` as a number."""
        return int(self.prompt_key, 16)

    @property
    def key(self) -> str:
        """Return the key under which the completion is stored and looked up: `PROMPT-SAMPLE`."""
        return f"{self.prompt_key}-{self.sample_index}"

    @property
    def seed(self) -> int:
        """Return the sample's own 60 bits of randomness, which depend on nothing but its key."""
        return int(content_key("seed", self.key)[:15], 16)

    def with_prompt_key(self, prompt_key: str) -> Self:
        """Return the request itself with a key that is known: hashing long prompts is expensive."""
        self.__dict__["prompt_key"] = prompt_key
        return self

    def with_sample_index(self, index: int) -> Self:
        """Return the request for another sample of the same prompt, without hashing that again."""
        if index == self.sample_index:
            return self
        return replace(self, sample_index=index).with_prompt_key(self.prompt_key)


FINISH_REASONS = ("stop", "length", "blocked", "too_long", "refused", "broken")
"""How an engine's completion ends."""
UNUSABLE = {
    "blocked": "blocked by the server's filter",
    "too_long": "not written, as the prompt is too long for the model's context",
    "refused": "refused by the server, which answers others",
    "broken": "broken off by the server",
}
"""Finish reason of a completion that nothing is made of → why, for drops."""


class Completion(Record, frozen=True, omit_defaults=True):
    """One answer of a model."""

    key: str
    """The key of the request."""
    text: str
    """What it said: its answer, after any thinking."""
    finish_reason: Literal["stop", "length", "blocked", "too_long", "refused", "broken", "budget"]
    """How it ended: by itself; by the limit of its tokens; by a filter of the server, which refused
    the prompt or cut the answer; not begun, as the prompt does not fit the context, or as the
    server refuses it for a reason of its own; or broken off.

    No engine gives `budget`: the request was not sent, as the run's budget was used up.
    """
    prompt_tokens: int
    """Tokens read for this completion alone: 0 where they are counted in a sample before it."""
    completion_tokens: int
    """Tokens written."""
    thinking: str = ""
    """What it thought before that, with the marks of its thoughts, as far as it wrote them itself.

    A thought that never ends leaves an empty text.
    """


class Engine(Protocol):
    """A model that answers chat requests."""

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield one completion per request as they arrive, in any order.

        Requests are taken only when they can be worked on: the caller ends a stage early by giving
        no more, and millions need not be held at once. Samples of one prompt come one after another
        and should share its prefill. Closing the iterator cancels what is in flight. What a model
        thinks belongs into `thinking`; thoughts left in the text are taken out by known marks.
        Raises: EngineError when the model or server cannot answer.
        """
        ...

    def close(self) -> None:
        """Free memory and connections; calling it twice is harmless."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """An engine whose `complete` another thread can end, with an error for who iterates it."""

    def stop(self) -> None:
        """End what is in flight; what is asked later is answered."""
        ...


class LazyEngine:
    """Stands for an engine; a run that is already complete never loads a model."""

    def __init__(self, create: Callable[[], Engine]) -> None:
        self._create = create
        self._engine: Engine | None = None

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield the completions, having created the engine if there is anything to complete."""
        remaining = iter(requests)
        first = next(remaining, None)
        if first is not None:
            yield from self.start().complete(chain([first], remaining))

    def start(self) -> Engine:
        """Return the engine itself, created if it was not yet."""
        if self._engine is None:
            self._engine = self._create()
        return self._engine

    def close(self) -> None:
        """Close the engine if it was created; the next request creates it again."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine finds its model and leaves its log."""

    base: Path
    """Folder that relative paths in the config start from."""
    logs: Path
    """Folder for the log of a server that the engine starts."""
    serve: ServeConfig = field(default_factory=ServeConfig)
    """The environment of such a server."""
    say: Callable[[str], None] = lambda _: None
    """Shows a person one line: what `engine: auto` picked, that a batch had to be made smaller."""
    plugins: tuple[Path, ...] = ()
    """Plugins that are files, for an engine that opens others in further processes."""

    @classmethod
    def of_run(
        cls, config: RunConfig, base: Path, say: Callable[[str], None] = lambda _: None
    ) -> Self:
        """Return the place of a run's engines: their logs lie in the run's folder."""
        return cls(base, base / config.run, config.hosts.serve, say)
