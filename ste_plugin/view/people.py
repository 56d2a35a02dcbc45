"""What people said of a run's pairs in `ste review`, as far as there is something."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from ste_plugin.errors import DataError
from ste_plugin.review.labels import labels_path, read_labels
from ste_plugin.review.majority import most_say
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.view.sources import FileState, state_of

_CHOICES = ("better", "worse", "tie")


class PeopleLabels:
    """The labels of one run, read again when there are more."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._state: FileState | None = None
        self._labels: dict[str, int] = {}

    def __call__(self, root: Path) -> Mapping[str, int]:
        """Return pair's key → what most raters prefer: 1 the better answer, -1 the other, or 0."""
        path = labels_path(RunLayout(root))
        state = state_of(root, path)
        if state != self._state:
            self._labels = _read(path)
            self._state = state
        return self._labels


def _read(path: Path) -> dict[str, int]:
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    try:
        for label in read_labels(path, "pair"):
            votes[label.pair_key][str(label.choice)] += 1
    except DataError:
        return {}  # `ste review` says what is wrong with the file, and how to mend it
    return {key: most_say(*(said[choice] for choice in _CHOICES)) for key, said in votes.items()}
