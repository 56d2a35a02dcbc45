"""Whether a judge prefers its own model's answers, of labelled pairs that say whose each answer is.

The pairs of a run tell nothing of it: both answers are its generator's. Those of `evaluation.pairs`
may have columns for it, and what the judge said of them is measured anyway, so nothing is asked.

Source: Wataoka et al. 2024, "Self-Preference Bias in LLM-as-a-Judge" (equal opportunity).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.probes.examine import Row
from ste_plugin.audit.probes.figures import Measured, Values, group_difference
from ste_plugin.audit.probes.telling import CHECK
from ste_plugin.audit.significance import LEVEL
from ste_plugin.context import RunContext
from ste_plugin.errors import DataError
from ste_plugin.evaluation.paired_test import holm
from ste_plugin.labelled import Reading, read_labelled
from ste_plugin.labelled.pair import NO_MODELS, ONE_VOTE
from ste_plugin.lm_eval_tasks.judged_file import read_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair

NAME = "own answers preferred"
THRESHOLD = 0.05
_NOT_APPLICABLE = (
    "Not applicable: both answers of this run's pairs are its generator's. It can be told of "
    "evaluation.pairs whose rows say whose each answer is: chosen_model and rejected_model, or "
    "model_a and model_b."
)
_CURE = (
    "Have others than itself judge its own model's answers, or take the answers of several models "
    "for its pairs: another generator."
)


class Outcome(NamedTuple):
    """What is known of one judge."""

    problem: str
    """Why nothing is known, where that is so."""
    own_worse: Values
    """Pairs whose worse answer is its own: how far it preferred that, 0 to 1."""
    own_better: Values
    """Pairs whose better answer is its own: how far it preferred the other, 0 to 1."""
    measured: Measured | None
    """By how much oftener it is wrong in favour of its own answers than against them."""


def measure(context: RunContext, number: int) -> Outcome:
    """Return what is known of the judge of an iteration, by the pairs that it was measured on."""
    try:
        return _measure(context, number)
    except DataError as error:  # the probes need no such file
        return Outcome(str(error), {}, {}, None)


def _measure(context: RunContext, number: int) -> Outcome:
    own = _own_names(context)
    named: set[str] = set()
    worse: dict[str, tuple[str, float]] = {}
    better: dict[str, tuple[str, float]] = {}
    unmeasured = []
    for name, file in context.config.evaluation.pairs.items():
        path = context.base / Path(file.path).expanduser()
        authors = dict(_authors(path, Reading.of(file), name))
        named |= {author for both in authors.values() for author in both}
        judged = _judged(context.folder.iteration(number) / "eval" / name) if authors else []
        if judged is None:
            unmeasured.append(name)
        for pair in judged or ():
            of_better, of_worse = authors.get(pair.id, ("", ""))
            if (of_better in own) != (of_worse in own) and pair.fits:
                group = worse if of_worse in own else better
                group[f"{name}/{pair.id}"] = pair.prompt, _wrong(pair)
    return Outcome(
        _problem(named, own, unmeasured, worse | better),
        worse,
        better,
        group_difference(worse, better, context.config.seed),
    )


def _own_names(context: RunContext) -> set[str]:
    names = context.config.audit.own_names or (context.config.judge.model,)
    return set(map(_plain, names))


def _plain(model: str) -> str:
    """Return a model's name as it is compared: without its owner or folder, in small letters."""
    return model.strip().rstrip("/").rpartition("/")[2].lower()


def _authors(path: Path, reading: Reading, name: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield id → whose the better and the worse answer is, of labelled rows that say so."""
    for pair in read_labelled(path, reading, name):
        if pair.votes == ONE_VOTE and pair.models != NO_MODELS:
            of_better, of_worse = map(_plain, pair.models)
            yield pair.id, (of_better, of_worse)


def _judged(folder: Path) -> Sequence[JudgedPair] | None:
    """Return what was said of a set of pairs; None where it was not measured."""
    if not (folder / "results.json").is_file():
        return None
    judged = read_judged(folder)
    return [] if isinstance(judged, dict) else judged


def _wrong(pair: JudgedPair) -> float:
    """Return how far the worse answer was preferred: of all orders shown, none counts half."""
    sides = [0.5 if o.final not in ("A", "B") else float(o.final != o.gold) for o in pair.orders]
    return sum(sides) / len(sides)


def _problem(named: set[str], own: set[str], unmeasured: list[str], found: Values) -> str:
    if not named:
        return _NOT_APPLICABLE
    if unmeasured and not found:
        return f"Not measured on {', '.join(unmeasured)}, whose pairs name models: `ste eval`."
    if not named & own:
        return (
            f"Not applicable: the labelled pairs are of {', '.join(sorted(named))}, none of which "
            f"is {', '.join(sorted(own))}. Say by audit.own_names what the judge is called there."
        )
    return ""


def to_row(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as `probes.json` has it."""
    found = outcome.measured
    return {
        "n": len(outcome.own_worse) + len(outcome.own_better),
        "problem": outcome.problem,
        "figure": found.figure if found else None,
        "interval": found.interval if found else None,
        "p": found.p if found else None,
    }


def tell(outcome: Outcome, rows: Sequence[Row], subject: str) -> Finding:
    """Return the finding on a judge; `rows` are the probes of it, which p is corrected for."""
    found = outcome.measured
    p = holm([found.p, *(row.measured.p for row in rows if row.measured)])[0] if found else 1.0
    failed = found is not None and found.figure >= THRESHOLD and p < LEVEL
    return Finding(
        check=CHECK,
        name=NAME,
        subject=subject,
        figure=found.figure if found else None,
        interval=found.interval if found else None,
        threshold=THRESHOLD if found else None,
        n=len(outcome.own_worse) + len(outcome.own_better),
        failed=failed,
        words=_words(outcome, failed, p),
        cure=_CURE if failed else "",
    )


def _words(outcome: Outcome, failed: bool, p: float) -> str:
    worse, better = outcome.own_worse, outcome.own_better
    if outcome.problem:
        return outcome.problem
    if outcome.measured is None:
        return (
            f"The worse answer is its own in {len(worse)} pairs and the better one in "
            f"{len(better)}: too few to tell whether it prefers its own."
        )
    start = "It prefers" if failed else "No sign that it prefers"
    lost, won = (sum(v for _, v in each.values()) / len(each) for each in (worse, better))
    return (
        f"{start} its own model's answers: where the worse answer is its own it prefers it in "
        f"{lost:.0%} of {len(worse)} pairs, and where the better one is, the other's in {won:.0%} "
        f"of {len(better)}; p {p:.2g} corrected for all probes."
    )
