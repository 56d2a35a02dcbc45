"""What people said of a run's pairs in `ste review`, as far as there is something."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ste_plugin.errors import DataError
from ste_plugin.review.labels import labels_path, read_labels
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.view.sources import FileState, state_of

_POINTS = {"better": 1, "worse": -1, "tie": 0}


class PeopleLabels:
    """The labels of one run, read again when there are more."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._state: FileState | None = None
        self._labels: dict[str, int] = {}

    def __call__(self, root: Path) -> Mapping[str, int]:
        """Return pair's key → what most raters prefer: 1 the better answer, -1 the other, 0."""
        path = labels_path(RunLayout(root))
        state = state_of(root, path)
        if state != self._state:
            self._labels = _read(path)
            self._state = state
        return self._labels


def _read(path: Path) -> dict[str, int]:
    points: defaultdict[str, int] = defaultdict(int)
    try:
        for label in read_labels(path, "pair"):
            points[label.pair_key] += _POINTS.get(label.choice or "", 0)
    except DataError:
        return {}  # `ste review` says what is wrong with the file, and how to mend it
    return {key: (sum_ > 0) - (sum_ < 0) for key, sum_ in points.items()}
