"""Which of a run's judges wrote the judgments that people labelled."""

from collections.abc import Collection
from pathlib import Path

from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.records import Judgment
from ste_plugin.review.population import iterations
from ste_plugin.storage.jsonl import iter_records, read_json
from ste_plugin.storage.run_layout import RunLayout


def of_newest_judge(folder: RunLayout, labelled: Collection[str]) -> tuple[set[str], str]:
    """Return the keys of the labelled judgments that the newest judge wrote, and who that is.

    An iteration's judgments are those of the judge before it, a later stage's those of the stage
    before. Where the run has none of them any more, all are returned, and no name.
    """
    for iteration in iterations(folder) if labelled else ():
        for place in [*sorted(iteration.glob("stage-*"), reverse=True), iteration]:
            path = place / "judgments.jsonl"
            found = {j.key for j in iter_records(path, Judgment)} if path.is_file() else set()
            if found := found.intersection(labelled):
                return found, _judge_of(place, iteration)
    return set(labelled), ""


def _judge_of(place: Path, iteration: Path) -> str:
    number = int(iteration.name.removeprefix("iter-"))
    if place != iteration:
        stage = int(place.name.removeprefix("stage-"))
        return f"stage {stage - 1} of iteration {number}"
    path = place / "dataset" / "manifest.json"
    by = read_json(path).get("judged_by", {}) if path.is_file() else {}
    return judge_name(by.get("iteration", number - 1))
