"""How likely a model finds each choice of a request, from those engines that can tell."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from ste_plugin.engines.base import ChatRequest, Engine, LazyEngine


@runtime_checkable
class TellsLikelihoods(Protocol):
    """An engine that sees its model's probabilities."""

    def choice_log_likelihoods(
        self, requests: Iterable[ChatRequest]
    ) -> Iterator[tuple[str, tuple[float, ...]]]:
        """Yield the key of each request with `choices`, and their log-likelihoods in their order.

        The choices' likelihoods add up to 1. Requests that do not fit the context are left out.
        """
        ...


@runtime_checkable
class TellsLength(Protocol):
    """An engine that counts a request's tokens without answering it."""

    def count_tokens(self, request: ChatRequest) -> tuple[int, int, int]:
        """Return the tokens of the prompt, the most of the answer, and those of the context."""
        ...


def choice_log_likelihoods(
    engine: Engine, requests: Sequence[ChatRequest]
) -> Mapping[str, tuple[float, ...]] | None:
    """Return key → log-likelihoods of the choices, or None where the engine cannot tell.

    Raises: EngineError where the model cannot be made to choose there.
    """
    inner = started(engine)
    if not isinstance(inner, TellsLikelihoods):
        return None
    return dict(inner.choice_log_likelihoods(requests))


def likeliest(request: ChatRequest, likelihoods: Sequence[float]) -> str:
    """Return the likeliest choice of a request, which answers it at temperature 0.

    `likelihoods`: of its choices in their order, in any measure. Where several are as likely the
    prompt's seed picks one, so that none wins by its place; where all are, there is none: ''.
    """
    highest, choices = max(likelihoods), request.choices
    likely = [c for c, each in zip(choices, likelihoods, strict=True) if each == highest]
    if len(likely) in (0, len(choices)):  # 0: they are no numbers
        return ""
    return likely[request.with_sample_index(0).seed % len(likely)]


def count_tokens(engine: Engine, request: ChatRequest) -> tuple[int, int, int] | None:
    """Return what `TellsLength.count_tokens` does, or None where the engine cannot tell."""
    inner = started(engine)
    return inner.count_tokens(request) if isinstance(inner, TellsLength) else None


def started(engine: Engine) -> Engine:
    """Return the engine itself, its model loaded where that waits for the first request."""
    return engine.start() if isinstance(engine, LazyEngine) else engine
