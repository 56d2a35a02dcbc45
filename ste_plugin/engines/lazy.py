"""An engine that loads its model only when something is asked of it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from ste_plugin.engines.base import ChatRequest, Completion, Engine


class LazyEngine:
    """Stands for an engine; a run that is already complete never loads a model."""

    def __init__(self, create: Callable[[], Engine]) -> None:
        self._create = create
        self._engine: Engine | None = None

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield the completions, having opened the engine if there is anything to complete."""
        coming = iter(requests)
        first = next(coming, None)
        if first is not None:
            if self._engine is None:
                self._engine = self._create()
            yield from self._engine.complete(chain([first], coming))

    def close(self) -> None:
        """Close the engine if it was opened; it can be opened again."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
