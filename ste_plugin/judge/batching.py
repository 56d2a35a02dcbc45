"""Comparisons wanted one by one, asked for together: what waits goes to the judge as one batch."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from time import monotonic

from ste_plugin.judge.comparison import Comparison
from ste_plugin.judge.texts import Pair

MAX_BATCH = 64

CompareMany = Callable[[Sequence[Pair]], list[Comparison]]


class Full(Exception):
    """As much is waiting as may wait."""


class Closed(Exception):
    """Nothing more is taken."""


class Batcher:
    """Gives a judge, in a thread of its own, whatever has come in while it worked."""

    def __init__(
        self,
        compare_many: CompareMany,
        max_batch: int = MAX_BATCH,
        max_waiting: int | None = None,
        on_batch: Callable[[int, float], object] = lambda *_: None,
        stop: Callable[[int], object] = lambda _: None,
    ) -> None:
        """`max_waiting`: comparisons that may wait beside those being made; None is no limit.

        `on_batch` is told the size of every batch and the seconds that it took. `stop` ends what a
        thread, by its number, asks, as far as that is possible.
        """
        self._compare_many, self._on_batch, self._stop = compare_many, on_batch, stop
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self.renew()

    def renew(self) -> None:
        """Begin anew with nothing waiting, as in a forked process, which has no other threads."""
        self._waiting: deque[tuple[Pair, Future[Comparison]]] = deque()
        self._changed = Condition()
        self._closed = False
        self.working = False
        """Whether the judge works on a batch."""
        self._thread: Thread | None = None
        self._batch: set[Future[Comparison]] = set()
        """What the judge works on and somebody still wants."""

    @property
    def waiting(self) -> int:
        """How many comparisons wait that somebody still wants."""
        with self._changed:
            return sum(not future.cancelled() for _, future in self._waiting)

    def submit(self, pairs: Sequence[Pair]) -> list[Future[Comparison]]:
        """Take all of these pairs, or none; a future that is cancelled while it waits is not asked.

        Raises: Full where so many more may not wait; Closed after `close`.
        """
        with self._changed:
            if self._closed:
                raise Closed
            if self._has_no_room(pairs):
                self._waiting = deque(w for w in self._waiting if not w[1].cancelled())
                if self._has_no_room(pairs):
                    raise Full
            futures = [Future[Comparison]() for _ in pairs]
            self._waiting += zip(pairs, futures, strict=True)
            if self._thread is None:
                self._thread = Thread(target=self._work, name="ste-judge", daemon=True)
                self._thread.start()
            self._changed.notify()
        return futures

    def give_up(self, futures: Iterable["Future[Comparison]"]) -> None:
        """Ask none of these any more; a batch of which nobody wants anything is ended."""
        for future in futures:
            future.cancel()
        with self._changed:
            was_wanted = bool(self._batch)
            self._batch -= set(futures)
            if was_wanted and not self._batch and self._thread and self._thread.ident:
                self._stop(self._thread.ident)

    def close(self) -> None:
        """Take nothing more, and return when all that was taken is answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _has_no_room(self, pairs: Sequence[Pair]) -> bool:
        most = self._max_waiting
        return most is not None and len(self._waiting) + len(pairs) > most

    def _work(self) -> None:
        while batch := self._next_batch():
            self.working, began = True, monotonic()
            try:
                self._answer(batch)
            finally:
                with self._changed:
                    self._batch = set()
                self.working = False
            self._on_batch(len(batch), monotonic() - began)

    def _next_batch(self) -> list[tuple[Pair, "Future[Comparison]"]]:
        """Return what waits, as soon as anything does; nothing once closed and all is answered."""
        batch: list[tuple[Pair, Future[Comparison]]] = []
        with self._changed:
            while not batch:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return []
                while self._waiting and len(batch) < self._max_batch:
                    pair, future = self._waiting.popleft()
                    if future.set_running_or_notify_cancel():
                        batch.append((pair, future))
            self._batch = {future for _, future in batch}
        return batch

    def _answer(self, batch: Sequence[tuple[Pair, "Future[Comparison]"]]) -> None:
        """Give each its own comparison; an error is everyone's."""
        try:
            compared = self._compare_many([pair for pair, _ in batch])
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), comparison in zip(batch, compared, strict=True):
            future.set_result(comparison)
