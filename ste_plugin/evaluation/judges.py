"""Measured judges on disk: which evaluations a path holds, and what was said about each pair."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm
from ste_plugin.lm_eval_tasks.choice_scores import ChoiceScore
from ste_plugin.lm_eval_tasks.figures import Figure
from ste_plugin.lm_eval_tasks.judged_file import iter_judged, pairs_hash
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.measurement import JUDGED
from ste_plugin.lm_eval_tasks.metrics import acc, acc_pc
from ste_plugin.storage.jsonl import read_json, read_rows


class Outcome(NamedTuple):
    """How a judge did on one labelled pair."""

    stratum: str
    prompt_key: str
    acc: float
    right: bool
    """In both orders; in the one order that was shown, where there was only one."""
    both_orders: bool = True
    """Whether it was shown in both orders, rather than once."""


@dataclass(frozen=True)
class Evaluation:
    """One judge on one set of pairs."""

    path: Path
    """Its folder, or the file of samples that lm-eval logged."""
    results: Mapping[str, Any]
    """What results.json says; of plain lm-eval's samples how they were made, as far as they say."""

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Id of the pair → how the judge did; pairs without a better response are left out.

        Read once, and held as long as this is.
        Raises: DataError where that was not kept, or is damaged.
        """
        return {key: outcome for key, outcome in self._read_outcomes() if outcome}

    def _read_outcomes(self) -> Iterator[tuple[str, Outcome | None]]:
        if self.path.is_file():
            for row in read_judge_samples(self.path):
                yield row["doc"]["id"], _of_sample(row)
            return
        either, both = Figure(acc), Figure(acc_pc)
        for row_id, said in iter_judged(self.path):
            if isinstance(said, JudgedPair):
                yield row_id, _of_terms(either.term(said), both.term(said))
            else:
                yield row_id, _of_score(said)


def _of_terms(either: Any, both: Any) -> Outcome | None:
    """Return the outcome of a pair's terms of `acc` and `acc_pc`; empty ones count nothing."""
    if not either:
        return None
    term = MetricTerm(*either)
    right = MetricTerm(*both).numerator if both else float(term.numerator == 1)
    stratum = intern(term.stratum)  # a few texts for all pairs
    return Outcome(stratum, term.prompt_key, term.numerator, right == 1, bool(both))


def _of_score(score: ChoiceScore) -> Outcome:
    return Outcome(score.section, score.unit, score.points, score.points == 1, both_orders=False)


def _of_sample(row: Mapping[str, Any]) -> Outcome | None:
    if "acc" in row:
        return _of_terms(row["acc"], row["acc_pc"])
    return _of_score(ChoiceScore(*row["final"]))


def read_judge_samples(path: Path) -> Iterable[dict[str, Any]]:
    """Yield what lm-eval logged of one of our tasks. Raises: DataError for another task's log."""
    for number, row in read_rows(path):
        if "doc" not in row or not ("acc_pc" in row or "final" in row):
            raise DataError(
                f"{path}:{number}: not a sample of a judge task; expected one of those of `ste "
                "tasks list`. Give their folder."
            )
        yield row


def evaluations_at(path: Path) -> dict[str, Evaluation]:
    """Return name → evaluation, of what a path holds.

    A run's folder (its best iteration), an iteration's folder, an eval folder, one evaluation in
    it, its results.json, or a folder or file of samples that lm-eval logged.
    Raises: DataError where there is none.
    """
    if path.name == "results.json":
        path = path.parent
    if (path / "report.json").is_file():
        path = path / f"iter-{read_json(path / 'report.json')['best']:02d}"
    if evaluations := _measured(path):
        return evaluations
    if (path / "run.yaml").is_file():
        raise DataError(
            f"{path}: no best iteration yet, as the run is not finished; give --iteration, or name "
            "an iteration's folder, as iter-01."
        )
    if evaluations := _logged(path):
        return evaluations
    raise DataError(
        f"{path}: no evaluation there; expected results.json (`ste eval` writes it) or "
        "samples_*.jsonl (lm_eval --log_samples)."
    )


def _measured(path: Path) -> dict[str, Evaluation]:
    """Return what `ste eval` wrote into a folder, else below its folder `eval`, else below it."""
    for place, pattern in (
        (path, "results.json"),
        (path / "eval", "*/results.json"),
        (path, "*/results.json"),
    ):
        if files := sorted(place.glob(pattern)):
            return {f.parent.name: Evaluation(f.parent, read_json(f)) for f in files}
    return {}


def iterations_at(root: Path) -> dict[int, dict[str, Evaluation]]:
    """Return number of each iteration of a run that was measured → its evaluations; 0 is the seed.

    Raises: DataError where none was.
    """
    folders = {
        int(p.parent.name.removeprefix("iter-")): p.parent for p in sorted(root.glob("iter-*/eval"))
    }
    measured = {
        number: evaluations_at(folder)
        for number, folder in folders.items()
        if list(folder.glob("eval/*/results.json"))
    }
    if not measured:
        raise DataError(f"{root}: no judge was measured there yet. `ste eval` or `ste run` does.")
    return measured


def _logged(path: Path) -> dict[str, Evaluation]:
    """Return the newest samples of each task that lm-eval logged below a folder.

    Raises: DataError where they lie in several folders, as those of several models do.
    """
    files = [path] if path.name.startswith("samples_") else sorted(path.rglob("samples_*.jsonl"))
    by_task: dict[str, Path] = {}
    for file in sorted(files, key=lambda f: f.name):
        task = file.stem.removeprefix("samples_").rpartition("_")[0]
        if (other := by_task.get(task, file).parent) != file.parent:
            raise DataError(
                f"{path}: samples of {task} in {other.name} and in {file.parent.name}; expected "
                "those of one judge. Name one of these folders."
            )
        by_task[task] = file
    return {task: Evaluation(file, _how_logged(file)) for task, file in by_task.items()}


def _how_logged(path: Path) -> dict[str, Any]:
    """Return how samples were made, as they say themselves, and the hash of the pairs in them."""
    rows = sorted(read_judge_samples(path), key=lambda row: row.get("doc_id", 0))
    how: dict[str, Any] = rows[0].get(JUDGED, {}).get("how", {}) if rows else {}
    return how | {"pairs_sha256": pairs_hash(row["doc"] for row in rows)}
