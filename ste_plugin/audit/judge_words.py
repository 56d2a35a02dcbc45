"""What a measured judge said about pairs that people labelled."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ste_plugin.audit.people_file import PeopleOnPair
from ste_plugin.audit.run_pairs import held_out_files
from ste_plugin.errors import DataError
from ste_plugin.evaluation.judges import Evaluation, evaluations_at, read_judge_samples
from ste_plugin.evaluation.shipped import folder_name
from ste_plugin.lm_eval_tasks.judged_file import JUDGED, read_judged
from ste_plugin.lm_eval_tasks.judged_pair import NONE, JudgedPair
from ste_plugin.lm_eval_tasks.metrics import CHOSEN, NEITHER, REJECTED, SILENT, preferred
from ste_plugin.lm_eval_tasks.replies import NOT_ASKED
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.jsonl import read_rows
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.storage.training_manifest import read_training_manifest


class JudgeWord(NamedTuple):
    """What a judge said about one pair."""

    prompt: str
    side: int
    """0 for the chosen answer and 1 for the rejected one in every order shown, 2 for neither, 3
    where an order has no verdict."""
    lengths: tuple[int, int]
    """Characters of both."""

    def turned(self) -> "JudgeWord":
        """Return it with the other answer called the chosen one."""
        side = {CHOSEN: REJECTED, REJECTED: CHOSEN}.get(self.side, self.side)
        return JudgeWord(self.prompt, side, (self.lengths[1], self.lengths[0]))


def judge_words(
    judge: Path, people: Mapping[str, PeopleOnPair], labels: Path
) -> dict[str, JudgeWord]:
    """Return id → what the judge said, of the labelled pairs that it was asked about.

    `judge` is a run, an iteration, an evaluation or its results.json or judged.jsonl.
    Raises: DataError where it was measured on none of them, or they are other pairs of those ids.
    """
    evaluations = _evaluations(judge, people, labels)
    words: dict[str, JudgeWord] = {}
    places: dict[str, str] = {}
    for name, evaluation in evaluations.items():
        for key, word in _words(evaluation):
            if key not in people:
                continue
            if key in words:
                raise DataError(
                    f"{judge}: pair {key!r} was judged in {places[key]} and in {name}. Name one "
                    "of these evaluations, rather than the folder of both."
                )
            words[key], places[key] = word, name
    if not words:
        raise DataError(_not_measured(judge, evaluations, people, labels))
    return _of_the_same_pairs(words, people, labels)


def _evaluations(
    judge: Path, people: Mapping[str, PeopleOnPair], labels: Path
) -> dict[str, Evaluation]:
    if judge.name == JUDGED:
        judge = judge.parent
    if not judge.exists() or (judge / "config.json").is_file():
        what = "a model's folder" if judge.exists() else "no such file or folder"
        how = _how_to_measure(str(judge), people, labels, _format_of(judge))
        raise DataError(
            f"{judge}: {what}; expected a run, an iteration, or what `ste eval` wrote. {how}"
        )
    return evaluations_at(judge)


def folder_of(judge: Path, iteration: int | None = None) -> Path:
    """Return the folder of a run whose config is named instead, or of one of its iterations.

    Raises: ConfigError for a file of YAML that is no config.
    """
    if judge.is_file() and judge.suffix in (".yaml", ".yml"):
        judge = judge.resolve().parent / read_config(judge).run
    return judge if iteration is None else RunLayout(judge).iteration(iteration)


def _how_to_measure(
    model: str, people: Mapping[str, PeopleOnPair], labels: Path, version: str
) -> str:
    """Return the commands that measure a model on the labelled pairs, and what to do then."""
    has_texts = any(said.pair for said in people.values())
    files = {"": labels} if has_texts else _held_out(people, labels)
    if not files:
        return (
            f"{labels} has no texts, and none of its pairs is a held-out one of the run around it: "
            "label some of those, `ste review RUN --split test`."
        )
    name = _format_file(Path(model)) or version.rpartition("-")[0]
    judge_format = f" --format {name}" if name else ""
    out = f"evaluations/labels-{folder_name(model)}"
    commands = [
        f"  ste eval --model {model} --data {file}{judge_format} --out {out}{place and '/'}{place}"
        for place, file in files.items()
    ]
    return "\n".join([f"Measure the judge on these pairs first, then name {out}:", *commands])


def _format_file(model: Path) -> str:
    """Return the file that says how a run's model is asked, where no name does; else nothing."""
    around = (model, *model.parents)[:5]
    files = (RunLayout(folder).judge_format for folder in around)
    return next((str(file) for file in files if file.is_file()), "")


def _held_out(people: Mapping[str, PeopleOnPair], labels: Path) -> dict[str, Path]:
    """Return name → file of those held-out pairs of the run around `review/labels.jsonl` of which
    some are labelled; they have the texts that labels lack."""
    files = held_out_files(labels.parent.parent / "pool")
    return {
        name: file
        for name, file in files.items()
        if any(row.get("id") in people for _, row in read_rows(file))
    }


def _format_of(model: Path) -> str:
    """Return the version of the format that a model's folder was trained on; empty if not known."""
    if not model.exists():
        return ""
    for folder in (model.resolve(), model.resolve().parent):
        if manifest := read_training_manifest(folder):
            return str((manifest.get("judge_format") or {}).get("version") or "")
    return ""


def _not_measured(
    judge: Path,
    evaluations: Mapping[str, Evaluation],
    people: Mapping[str, PeopleOnPair],
    labels: Path,
) -> str:
    results = next(iter(evaluations.values())).results
    model, version = results.get("model") or "MODEL", results.get("judge_format") or ""
    return (
        f"{judge}: none of the pairs of {labels} is among those that this judge was measured on "
        f"({', '.join(evaluations)}). {_how_to_measure(model, people, labels, str(version))}"
    )


def _words(evaluation: Evaluation) -> Iterator[tuple[str, JudgeWord]]:
    if evaluation.path.is_file():
        for row in read_judge_samples(evaluation.path):
            if "chosen" in row["doc"] and row["filtered_resps"][0] != NOT_ASKED:
                yield row["doc"]["id"], _of_sample(row)
        return
    judged = read_judged(evaluation.path)
    for pair in judged if isinstance(judged, list) else ():
        if pair.fits:
            yield pair.id, _of_pair(pair)


def _of_pair(pair: JudgedPair) -> JudgeWord:
    return JudgeWord(pair.prompt, preferred(pair), (pair.chosen_chars, pair.rejected_chars))


def _of_sample(row: Mapping[str, Any]) -> JudgeWord:
    """Return what a sample that lm-eval logged says in words."""
    doc = row["doc"]
    said = {order["prefers"] for order in row["judged"]["verdicts"]}
    same = said.pop() if len(said) == 1 else NONE if NONE in said else "neither"
    side = {"chosen": CHOSEN, "rejected": REJECTED, NONE: SILENT}.get(same, NEITHER)
    return JudgeWord(doc["prompt"], side, (len(doc["chosen"]), len(doc["rejected"])))


def _of_the_same_pairs(
    words: Mapping[str, JudgeWord], people: Mapping[str, PeopleOnPair], labels: Path
) -> dict[str, JudgeWord]:
    """Return the words on pairs whose texts are those that people saw.

    Which answer is called the chosen one may differ; their lengths tell it. Raises: DataError where
    the texts of an id are others.
    """
    same: dict[str, JudgeWord] = {}
    turned = False
    for key, word in words.items():
        pair = people[key].pair
        if pair is None:  # labels without texts go by the key, which depends on these
            same[key] = word
            continue
        lengths = len(pair.chosen), len(pair.rejected)
        fitting = word.turned() if lengths == word.turned().lengths != word.lengths else word
        if (pair.prompt, lengths) != (fitting.prompt, fitting.lengths):
            raise DataError(
                f"{labels}: pair {key!r} has other texts than the pair of that id that the judge "
                "was measured on. Measure it on this file, or give these pairs ids of their own."
            )
        turned = turned or fitting is not word
        same[key] = fitting
    if turned:  # of two answers of one length nothing tells which is called the chosen one
        return {key: word for key, word in same.items() if word.lengths[0] != word.lengths[1]}
    return same
