"""The labelled pairs that a cascade is fitted on, and who labelled them."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ste_plugin.audit.judge_words import folder_of
from ste_plugin.audit.people_file import PeopleOnPair, read_people
from ste_plugin.audit.run_pairs import all_chose, held_out_files, ids_that_chose, is_of_pool
from ste_plugin.cascade.settings import LabelsBy
from ste_plugin.errors import DataError
from ste_plugin.judge import PairwiseJudge
from ste_plugin.judge.texts import Columns, Pair
from ste_plugin.labelled import LabelledPair, read_labelled
from ste_plugin.labelled.read import Keep
from ste_plugin.lm_eval_tasks.shown_columns import CATEGORY_KEPT
from ste_plugin.storage.run_layout import RunLayout


class FitPair(NamedTuple):
    """A pair with its label."""

    key: str
    subset: str
    prompt: str
    chosen: str
    rejected: str
    preferred: int | None
    """0 for the chosen answer, 1 for the rejected one; None where the label prefers neither."""
    shown: Columns
    """What else a judge may be shown of its row, or have a rubric chosen by."""

    def shown_to(self, judge: PairwiseJudge) -> Pair:
        """Return what a judge is asked about."""
        columns = judge.columns_of(self.subset, self.shown)
        return self.prompt, self.chosen, self.rejected, columns


class FitLabels(NamedTuple):
    """Labelled pairs, and what their labels are."""

    pairs: list[FitPair]
    by: LabelsBy
    without_texts: int = 0
    """Labels of pairs whose texts are nowhere, which are left out."""
    chose_judge: int = 0
    """Pairs that chose the judge, which are left out where something is promised."""


def fit_labels(
    labels: Path | None,
    run: Path | None,
    *,
    constructed: bool = False,
    keep: Keep = CATEGORY_KEPT,
    judges: Sequence[Path] | None = (),
) -> FitLabels:
    """Return the labelled pairs of a file; without one, a run's own test pairs.

    Those of a run are better and worse by construction, as are others where `constructed`. `keep`
    takes along what judges are shown of their rows. Left out are the dev pairs of the run around
    the labels and of those of the `judges`, as they chose these; None: nothing is promised, and
    they stay.
    Raises: DataError where there are none, or labels are of pairs whose texts are nowhere.
    """
    if labels is None:
        return _of_run(run, keep)
    chose = set() if judges is None else ids_that_chose(labels, *judges)
    if labels.is_file() and is_of_pool(labels):
        pairs = list(map(_of_pair, read_labelled(labels, name="labels", keep=keep)))
        found = FitLabels(pairs, "construction")
    else:
        found = _of_people_in(labels, chose, keep)
        found = found._replace(by="construction" if constructed else "people")
    kept = [pair for pair in found.pairs if pair.key not in chose]
    left_out = found.chose_judge + len(found.pairs) - len(kept)
    if not kept and left_out:
        raise all_chose(labels, left_out)
    return found._replace(pairs=kept, chose_judge=left_out)


def _of_people_in(labels: Path, chose: Collection[str], keep: Keep) -> FitLabels:
    """Return the pairs of a file of people's labels. Raises: DataError where they have no texts."""
    people = read_people(labels, keep)
    counted = {key: each for key, each in people.items() if key not in chose}
    texts = _texts_beside(labels, counted, keep)
    pairs = [
        _of_pair(pair)._replace(preferred=each.preferred)
        for key, each in counted.items()
        if (pair := texts.get(key))
    ]
    if counted and not pairs:
        raise DataError(
            f"{labels}: it has labels and no texts, and none of its {len(counted)} pairs is a "
            "held-out one of the run around it: they are labels of other pairs. Give a file with "
            "prompt, chosen, rejected and labels, or label held-out pairs: `ste review RUN --split "
            "test`."
        )
    return FitLabels(pairs, "people", len(counted) - len(pairs), len(people) - len(counted))


def _of_run(run: Path | None, keep: Keep) -> FitLabels:
    """Return the test pairs of a run. Raises: DataError where it has none."""
    folder = run and (run.parent if run.name.startswith("iter-") else folder_of(run))
    test = held_out_files(RunLayout(folder).pool).get("test") if folder else None
    if test is None:
        raise DataError(
            f"{run or 'ste cascade fit'}: no labels, and no run with test pairs of its own. Those "
            "that chose its judge (dev) promise nothing about it. Give pairs that people labelled: "
            "--labels people.jsonl."
        )
    return FitLabels(list(map(_of_pair, read_labelled(test, keep=keep))), "construction")


def _texts_beside(
    labels: Path, people: Mapping[str, PeopleOnPair], keep: Keep
) -> Mapping[str, LabelledPair]:
    """Return key → pair; of labels of `ste review` those of the run around them."""
    own = {key: each.pair for key, each in people.items() if each.pair is not None}
    if own:
        return own
    pairs = _held_out(labels.resolve().parent.parent / "pool", keep)
    return {pair.id: pair for pair in pairs if pair.id in people}


def _held_out(pool: Path, keep: Keep) -> Iterator[LabelledPair]:
    for file in held_out_files(pool).values():
        yield from read_labelled(file, keep=keep)


def _of_pair(pair: LabelledPair) -> FitPair:
    preferred = 0 if pair.preferred else None
    texts = (pair.prompt, pair.chosen, pair.rejected)
    return FitPair(pair.id, pair.subset, *texts, preferred, json.loads(pair.shown or "{}"))
