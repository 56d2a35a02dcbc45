"""The labelled pairs that a cascade is fitted on, and who labelled them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ste_plugin.audit.judge_words import folder_of
from ste_plugin.audit.people_file import PeopleOnPair, read_people
from ste_plugin.cascade.settings import LabelsBy
from ste_plugin.errors import DataError
from ste_plugin.judge import PairwiseJudge
from ste_plugin.judge.texts import Columns, Pair
from ste_plugin.labelled import LabelledPair, read_labelled
from ste_plugin.lm_eval_tasks.shown_columns import CATEGORY_KEPT
from ste_plugin.storage.jsonl import read_json
from ste_plugin.storage.run_layout import RunLayout

_DONE = "done.json"


class FitPair(NamedTuple):
    """A pair with its label."""

    key: str
    subset: str
    prompt: str
    chosen: str
    rejected: str
    preferred: int | None
    """0 for the chosen answer, 1 for the rejected one; None where the label prefers neither."""
    category: Columns
    """What a rubric may be chosen by beside the subset, where the row has it."""

    def shown_to(self, judge: PairwiseJudge) -> Pair:
        """Return what a judge is asked about."""
        columns = judge.columns_of(self.subset, self.category)
        return self.prompt, self.chosen, self.rejected, columns


class FitLabels(NamedTuple):
    """Labelled pairs, and what their labels are."""

    pairs: list[FitPair]
    by: LabelsBy
    without_texts: int
    """Labels of pairs whose texts are nowhere, which are left out."""


def fit_labels(labels: Path | None, run: Path | None, *, constructed: bool = False) -> FitLabels:
    """Return the labelled pairs of a file; without one, a run's own test pairs.

    Those of a run are better and worse by construction, as are others where `constructed`.
    Raises: DataError where there are none, or labels are of pairs whose texts are nowhere.
    """
    if labels is None:
        return _of_run(run)
    if labels.is_file() and _is_of_pool(labels):
        return FitLabels(
            list(map(_of_pair, read_labelled(labels, name="labels", keep=CATEGORY_KEPT))),
            "construction",
            0,
        )
    people = read_people(labels)
    texts = _texts_beside(labels, people)
    pairs = [_of_people(each, pair) for key, each in people.items() if (pair := texts.get(key))]
    if not pairs:
        raise DataError(
            f"{labels}: it has labels and no texts, and none of its {len(people)} pairs is a "
            "held-out one of the run around it: they are labels of other pairs. Give a file with "
            "prompt, chosen, rejected and labels, or label held-out pairs: `ste review RUN --split "
            "held-out`."
        )
    return FitLabels(pairs, "construction" if constructed else "people", len(people) - len(pairs))


def _of_run(run: Path | None) -> FitLabels:
    """Return the test pairs of a run. Raises: DataError where it has none."""
    folder = run and (run.parent if run.name.startswith("iter-") else folder_of(run))
    test = _pool_files(RunLayout(folder).pool).get("test") if folder else None
    if test is None:
        raise DataError(
            f"{run or 'ste cascade fit'}: no labels, and no run with test pairs of its own. Those "
            "that chose its judge (dev) promise nothing about it. Give pairs that people labelled: "
            "--labels people.jsonl."
        )
    pairs = list(map(_of_pair, read_labelled(test, keep=CATEGORY_KEPT)))
    return FitLabels(pairs, "construction", 0)


def _pool_files(pool: Path) -> Mapping[str, Path]:
    done = pool / _DONE
    said = read_json(done) if done.is_file() else None
    files = said.get("files") if isinstance(said, Mapping) else None
    if not isinstance(files, Mapping):  # some other tool's, beside labels of one's own
        return {}
    return {name: pool / str(file) for name, file in files.items() if (pool / str(file)).is_file()}


def _is_of_pool(labels: Path) -> bool:
    found = _pool_files(labels.parent).values()
    return labels.resolve() in {file.resolve() for file in found}


def _texts_beside(labels: Path, people: Mapping[str, PeopleOnPair]) -> Mapping[str, LabelledPair]:
    """Return key → pair; of labels of `ste review` those of the run around them."""
    own = {key: each.pair for key, each in people.items() if each.pair is not None}
    if own:
        return own
    pairs = _held_out(labels.resolve().parent.parent / "pool")
    return {pair.id: pair for pair in pairs if pair.id in people}


def _held_out(pool: Path) -> Iterator[LabelledPair]:
    for file in _pool_files(pool).values():
        yield from read_labelled(file, keep=CATEGORY_KEPT)


def _of_pair(pair: LabelledPair) -> FitPair:
    preferred = 0 if pair.preferred else None
    category = json.loads(pair.shown or "{}")
    texts = (pair.prompt, pair.chosen, pair.rejected)
    return FitPair(pair.id, pair.subset, *texts, preferred, category)


def _of_people(people: PeopleOnPair, pair: LabelledPair) -> FitPair:
    return _of_pair(pair)._replace(preferred=people.preferred)
