"""What a run asks next: a wave of requests, written to files or answered from them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ste_plugin.config import ModelConfig
from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion, Place
from ste_plugin.engines.http import engine as http
from ste_plugin.engines.http.batch import BatchFormat
from ste_plugin.engines.identity import model_identity
from ste_plugin.engines.model_pool import ModelPool
from ste_plugin.engines.registry import behind_server
from ste_plugin.inference.share import Share, WaveEnded
from ste_plugin.run import stages
from ste_plugin.run.open_run import find_next_iteration


class Formats:
    """How the requests of each model are written, by the model's identity in their keys."""

    def __init__(self, context: RunContext, *, for_openai: bool = False) -> None:
        self._base, self._for_openai = context.base, for_openai
        self._place = Place.of_run(context.config, context.base, context.progress.say)
        self._formats: dict[str, BatchFormat] = {}

    def add(self, model: ModelConfig) -> None:
        """Add a model. Raises: ConfigError for one whose requests cannot be written."""
        engine = http.create(behind_server(model, self._place), self._place)
        self._formats[model_identity(model, self._base)] = BatchFormat(
            engine, for_openai=self._for_openai
        )

    def of(self, request: ChatRequest) -> BatchFormat:
        """Return the format of the model that a request is for."""
        return self._formats[request.model]


class WaveEngine:
    """Stands for the engines of a run whose requests are answered elsewhere."""

    def __init__(self, answer: Callable[[ChatRequest], Completion]) -> None:
        """`answer` returns the completion of a request that the run's share takes."""
        self._answer = answer

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield the completions, in order."""
        return map(self._answer, requests)

    def close(self) -> None:
        """Do nothing: nothing is open."""


def with_share(
    context: RunContext,
    share: Share,
    formats: Formats,
    answer: Callable[[ChatRequest], Completion],
) -> RunContext:
    """Return a run that opens no model: what its share takes is answered by `answer`."""

    def open_model(model: ModelConfig) -> WaveEngine:
        formats.add(model)
        return WaveEngine(answer)

    return replace(context, models=ModelPool(open_model), share=share)


def find_wave(context: RunContext) -> WaveEnded | None:
    """Make the next data set up to where answers are missing; return None where none are.

    Raises: what `ste generate` raises.
    """
    number = find_next_iteration(context)
    try:
        stages.generate(context, number, stages.find_next_stage(context, number))
    except WaveEnded as ended:
        return ended
    return None
