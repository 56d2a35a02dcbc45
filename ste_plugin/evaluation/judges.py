"""Measured judges on disk: which evaluations a path holds, and what was said about each pair."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm
from ste_plugin.lm_eval_tasks.choice_scores import Judged
from ste_plugin.lm_eval_tasks.figures import Figure
from ste_plugin.lm_eval_tasks.judged_file import pairs_hash, read_judged
from ste_plugin.lm_eval_tasks.metrics import acc, acc_pc
from ste_plugin.storage.jsonl import read_json, read_rows


class Outcome(NamedTuple):
    """How a judge did on one labelled pair."""

    stratum: str
    prompt_key: str
    acc: float
    right: bool
    """In both orders; in the one order that was shown, where there was only one."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One judge on one set of pairs."""

    place: Path
    told: Mapping[str, Any]
    """What results.json says; of plain lm-eval's samples only `pairs_sha256`."""

    def outcomes(self) -> dict[str, Outcome]:
        """Return id of the pair → how the judge did; pairs without a better response are left out.

        Raises: DataError where that was not kept, or is damaged.
        """
        if self.place.is_file():
            return {row["doc"]["id"]: o for row in _samples(self.place) if (o := _sampled(row))}
        judged = read_judged(self.place)
        if isinstance(judged, dict):
            return {key: _chosen(worth) for key, worth in judged.items()}
        either, both = Figure(acc), Figure(acc_pc)
        terms = {pair.id: (either.term(pair), both.term(pair)) for pair in judged}
        return {key: o for key, pair in terms.items() if (o := _outcome(*pair))}


def _outcome(either: Any, both: Any) -> Outcome | None:
    """Return the outcome of a pair's terms of `acc` and `acc_pc`; empty ones count nothing."""
    if not either:
        return None
    term = MetricTerm(*either)
    right = MetricTerm(*both).numerator if both else float(term.numerator == 1)
    return Outcome(term.stratum, term.prompt_key, term.numerator, right == 1)


def _chosen(worth: Judged) -> Outcome:
    return Outcome(worth.section, worth.unit, worth.points, worth.points == 1)


def _sampled(row: Mapping[str, Any]) -> Outcome | None:
    if "acc" in row:
        return _outcome(row["acc"], row["acc_pc"])
    return _chosen(Judged(*row["final"]))


def _samples(path: Path) -> Iterable[dict[str, Any]]:
    """Yield what lm-eval logged of one of our tasks. Raises: DataError for another task's log."""
    for number, row in read_rows(path):
        if "doc" not in row or not ("acc_pc" in row or "final" in row):
            raise DataError(
                f"{path}:{number}: not a sample of a judge task; expected one of those of `ste tasks list`. Give their folder."
            )
        yield row


def evaluations_at(path: Path) -> dict[str, Evaluation]:
    """Return name → evaluation, of what a path holds.

    A run's folder (its best iteration), an iteration's folder, an eval folder, one evaluation in it,
    its results.json, or a folder or file of samples that lm-eval logged.
    Raises: DataError where there is none.
    """
    if path.name == "results.json":
        path = path.parent
    if (path / "report.json").is_file():
        path = path / f"iter-{read_json(path / 'report.json')['best']:02d}"
    found = {p.parent.name: p.parent for p in sorted((path / "eval").glob("*/results.json"))}
    found = found or {p.parent.name: p.parent for p in sorted(path.glob("*/results.json"))}
    if (path / "results.json").is_file():
        found = {path.name: path}
    if found:
        return {name: Evaluation(p, read_json(p / "results.json")) for name, p in found.items()}
    logged = _logged(path)
    if logged:
        return logged
    why = " The run is not finished: name one of its iterations." if _unfinished(path) else ""
    raise DataError(
        f"{path}: no evaluation there; expected results.json (`ste eval` writes it) or samples_*.jsonl "
        f"(lm_eval --log_samples).{why}"
    )


def iterations_at(root: Path) -> dict[int, dict[str, Evaluation]]:
    """Return number of each iteration of a run that was measured → its evaluations; 0 is the seed.

    Raises: DataError where none was.
    """
    folders = {
        int(p.parent.name.removeprefix("iter-")): p.parent for p in sorted(root.glob("iter-*/eval"))
    }
    found = {
        number: evaluations_at(folder)
        for number, folder in folders.items()
        if list(folder.glob("eval/*/results.json"))
    }
    if not found:
        raise DataError(f"{root}: no judge was measured there yet. `ste eval` or `ste run` does.")
    return found


def _unfinished(path: Path) -> bool:
    return (path / "run.yaml").is_file()


def _logged(path: Path) -> dict[str, Evaluation]:
    """Return the newest samples of each task that lm-eval logged below a folder."""
    files = [path] if path.name.startswith("samples_") else sorted(path.rglob("samples_*.jsonl"))
    by_task: dict[str, Path] = {}
    for file in sorted(files, key=lambda f: f.name):
        by_task[file.stem.removeprefix("samples_").rpartition("_")[0]] = file
    return {
        task: Evaluation(file, {"pairs_sha256": pairs_hash(_docs(file))})
        for task, file in by_task.items()
    }


def _docs(path: Path) -> list[dict[str, Any]]:
    rows = sorted(_samples(path), key=lambda row: row.get("doc_id", 0))
    return [row["doc"] for row in rows]
