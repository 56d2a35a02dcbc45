"""The model behind one judge or several, which one thread at a time may ask."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, get_ident

from ste_plugin.engines.base import Engine, Stoppable
from ste_plugin.engines.choice_likelihoods import TellsLikelihoods, started
from ste_plugin.judge.asking import Asker, Sample
from ste_plugin.judge.texts import Texts


class OneModel:
    """An engine whose callers wait for each other."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.renew()

    def renew(self) -> None:
        """Begin anew, as in a forked process, where no thread is left to let go of a lock."""
        self._lock, self._turn = Lock(), Lock()
        self._asking: int | None = None

    def load(self) -> None:
        """Load the model now. Raises: EngineError where that is not possible."""
        with self._lock:
            started(self.engine)

    def tells_likelihoods(self) -> bool:
        """Return whether the engine sees those of choices; it loads the model.

        Raises: EngineError where that is not possible.
        """
        with self._lock:
            return isinstance(started(self.engine), TellsLikelihoods)

    def close(self) -> None:
        """Free memory and connections; who asks later opens them again."""
        with self._lock:
            self.engine.close()

    def stop(self, thread: int) -> None:
        """End what a thread asks, where the engine can."""
        with self._turn:
            if self._asking == thread and isinstance(self.engine, Stoppable):
                self.engine.stop()

    @contextmanager
    def asked(self, asker: Asker, shown: Sequence[Texts]) -> Iterator[list[list[Sample]]]:
        """Ask, and stay the one that may until the block ends.

        Raises: EngineError where the model or server cannot answer.
        """
        with self._lock:
            with self._turn:
                self._asking = get_ident()
            try:
                yield asker.ask(self.engine, shown)
            finally:
                with self._turn:
                    self._asking = None
