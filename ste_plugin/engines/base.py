"""What an engine is asked, and what it answers."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from ste_plugin.records import Record, content_key


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next tokens are drawn. Temperature 0 is greedy."""

    temperature: float = 0.7
    top_p: float = 0.9
    max_new_tokens: int = 512


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One completion that is wanted."""

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

    @property
    def key(self) -> str:
        """Return the key under which the completion is stored and looked up."""
        return content_key(asdict(self))

    @property
    def prompt_key(self) -> str:
        """Return what the samples of one prompt have in common."""
        return content_key(
            self.model,
            [asdict(m) for m in self.messages],
            asdict(self.sampling),
            self.prefix,
            self.choices,
        )


@dataclass(frozen=True, slots=True)
class Completion(Record):
    """One answer of a model."""

    key: str
    """The key of the request."""
    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    """Tokens read for this completion alone: 0 where a sibling sample already paid for them."""
    completion_tokens: int


class Engine(Protocol):
    """A model that answers chat requests."""

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Completion]:
        """Yield one completion a request as they come, in any order.

        Requests with one prompt_key should share the reading of their prompt.
        Raises: EngineError when the model or server cannot answer.
        """
        ...

    def close(self) -> None:
        """Free memory and connections; calling it twice is harmless."""
        ...
