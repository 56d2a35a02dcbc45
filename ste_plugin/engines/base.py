"""What an engine is asked, and what it answers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, Self

import msgspec
from msgspec.structs import replace

from ste_plugin.config import ServeConfig
from ste_plugin.records import Record, canonical, content_key, key_of


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
        """Return it as keys see it: millions of requests share one."""
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
    """Words the assistant has already said; the completion continues them and leaves them out."""
    choices: tuple[str, ...] = ()
    """If given, the completion is exactly one of these, drawn by the model's own probabilities."""
    format_version: str = ""
    """Name and version of the prompt that made the request."""

    @cached_property
    def prompt_key(self) -> str:
        """Return the key of what all samples of one prompt have in common."""
        turns = [(m.role, m.content) for m in self.messages]
        more = (self.prefix, self.choices, self.format_version)
        parts = [
            canonical(self.model),
            canonical(turns),
            self.sampling.canonical,
            *map(canonical, more),
        ]
        return key_of(b"[%b]" % b",".join(parts))

    @property
    def key(self) -> str:
        """Return the key under which the completion is stored and looked up: `PROMPT-SAMPLE`."""
        return f"{self.prompt_key}-{self.sample_index}"

    @property
    def seed(self) -> int:
        """Return the sample's own 60 bits of randomness: they depend on its key and nothing else."""
        return int(content_key("seed", self.key)[:15], 16)

    def with_prompt_key(self, prompt_key: str) -> Self:
        """Return the request itself, told its key: hashing a long prompt costs more than asking for it."""
        self.__dict__["prompt_key"] = prompt_key
        return self

    def with_sample_index(self, index: int) -> Self:
        """Return the request for another sample of the same prompt, whose key is not hashed again."""
        if index == self.sample_index:
            return self
        return replace(self, sample_index=index).with_prompt_key(self.prompt_key)


FINISH_REASONS = ("stop", "length")
"""How a completion may end: by itself, or by the limit of its tokens."""


class Completion(Record, frozen=True):
    """One answer of a model."""

    key: str
    """The key of the request."""
    text: str
    finish_reason: Literal["stop", "length", "budget"]
    """`budget` is of no engine: nobody was asked, as the run's budget was used up."""
    prompt_tokens: int
    """Tokens read for this completion alone: 0 where a sibling sample already paid for them."""
    completion_tokens: int


class Engine(Protocol):
    """A model that answers chat requests."""

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield one completion a request as they come, in any order.

        Requests are taken as there is room for them and not before: whoever asks ends a stage early
        by giving no more, and millions need not be held at once. Samples of one prompt stand
        together and should share its reading. Closing the iterator ends what is in flight.
        Raises: EngineError when the model or server cannot answer.
        """
        ...

    def close(self) -> None:
        """Free memory and connections; calling it twice is harmless."""
        ...


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
    """Tells a person one line: what `engine: auto` picked, that a batch had to be made smaller."""
