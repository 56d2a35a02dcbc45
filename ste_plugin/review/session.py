"""One rater's way through a sample: what is shown next, and what was said."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from ste_plugin.records import ORDERS, Verdict, content_key
from ste_plugin.review.labels import (
    CHOICES,
    Choice,
    Kind,
    Label,
    append_labels,
    now,
    read_labels,
)
from ste_plugin.review.sample import Item


def shown_order(rater: str, pair_key: str) -> Verdict:
    """Return the letter under which this rater sees the better answer, A being the first."""
    return ORDERS[int(content_key("shown", rater, pair_key), 16) % 2]


def order_for(rater: str, item: Item) -> Verdict:
    """Return the letter under which the better answer is shown: a judgment's is what it saw."""
    return item.judgment.gold if item.judgment else shown_order(rater, item.pair.key)


def choice_of(kind: Kind, number: int, shown: Verdict | None) -> Choice:
    """Return what a key means: 1 and 2 are the first and second answer, or yes and no; 0 neither.

    `shown` is the letter of the better answer, which a pair needs.
    """
    first_is_better = kind == "judgment" or shown == "A"
    order = (1, 2) if first_is_better else (2, 1)
    return CHOICES[kind][order.index(number)] if number else CHOICES[kind][2]


def number_of(choice: Choice, kind: Kind, shown: Verdict | None) -> int:
    """Return the key that means a choice, as `choice_of` reads it."""
    return next(n for n in (1, 2, 0) if choice_of(kind, n, shown) == choice)


class ReviewSession:
    """What one rater has labelled of a sample and what comes next; for several threads.

    Every label is on disk before the method that gives it returns.
    """

    def __init__(self, path: Path, rater: str, kind: Kind, items: Sequence[Item]) -> None:
        """Go on where the labels in the file say that this rater left off."""
        self._path, self.rater, self.kind = path, rater, kind
        self.items = {item.key: item for item in items}
        said = [x for x in read_labels(path, kind) if x.rater == rater]
        labelled = [key for x in said if (key := x.judgment_key or x.pair_key) in self.items]
        self._done = dict.fromkeys(labelled)
        """Keys of the labelled items, in the order of their labels."""
        self._queue = deque(key for key in self.items if key not in self._done)
        self._acts: list[str] = list(self._done)
        """Keys of what was labelled or skipped, the last one last."""
        self._lock = Lock()

    @property
    def done(self) -> int:
        """How many are labelled."""
        return len(self._done)

    @property
    def current(self) -> Item | None:
        """What is shown now; None where all is labelled."""
        with self._lock:
            return self.items[self._queue[0]] if self._queue else None

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to go back to."""
        return bool(self._acts)

    def order_of(self, item: Item) -> Verdict:
        """Return the letter under which the better answer is shown."""
        return order_for(self.rater, item)

    def label(self, key: str, number: int) -> bool:
        """Keep what was said of the item that is shown; False where another one is shown now."""
        with self._lock:
            if not self._queue or self._queue[0] != key:
                return False
            item = self.items[key]
            self._append(item, choice_of(self.kind, number, self.order_of(item)))
            self._queue.popleft()
            self._done[key] = None
            self._acts.append(key)
            return True

    def skip(self, key: str) -> bool:
        """Put the item that is shown behind all others; False where another one is shown now."""
        with self._lock:
            if not self._queue or self._queue[0] != key:
                return False
            self._queue.rotate(-1)
            self._acts.append(key)
            return True

    def undo(self) -> bool:
        """Go back to what was labelled or skipped last, taking its label back; False where nothing
        was."""
        with self._lock:
            if not self._acts:
                return False
            key = self._acts[-1]
            if key in self._done:
                self._append(self.items[key], None)
                del self._done[key]
            else:
                self._queue.remove(key)
            self._acts.pop()
            self._queue.appendleft(key)
            return True

    def _append(self, item: Item, choice: Choice | None) -> None:
        drawn = item.drawn
        label = Label(
            self.rater,
            self.kind,
            drawn.pair_key,
            choice,
            drawn.judgment_key,
            self.order_of(item) if choice else None,
            now(),
        )
        append_labels(self._path, [label])


def answers_in_order(item: Item, shown: Verdict) -> tuple[str, str]:
    """Return the two answers as they are shown."""
    pair = item.pair
    return (pair.better, pair.worse) if shown == "A" else (pair.worse, pair.better)
