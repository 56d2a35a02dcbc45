"""The study's results: a row per trial, round and set, kept in `results.jsonl` beside this file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ste_plugin.evaluation.compare import LEVEL
from ste_plugin.evaluation.paired_test import holm
from study.run_arm import Trial

RESULTS = Path(__file__).with_name("results.jsonl")


def read_results(path: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the rows so far."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def is_done(
    trial: Trial, rows: Iterable[Mapping[str, Any]], rounds: int, sets: Iterable[str]
) -> bool:
    """Return whether a trial has a row of every round on each of these sets."""
    wanted = {_key({**vars(trial), "round": n + 1, "set": s}) for n in range(rounds) for s in sets}
    return wanted <= set(map(_key, rows))


def add(rows: Iterable[Mapping[str, Any]], path: Path = RESULTS) -> None:
    """Append a finished trial's rows, all at once, but for those that are there."""
    known = set(map(_key, read_results(path)))
    new = [json.dumps(row) + "\n" for row in rows if _key(row) not in known]
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(new))


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("arm", "model", "seed", "round", "set"))


@dataclass(frozen=True)
class Cell:
    """An arm's judges of one round on one set, over random seeds."""

    n: int
    """Pairs of the set."""
    seeds: int
    seed_right: float
    right: float
    """Right in both orders, the mean over random seeds."""
    acc: float
    longer: float
    """Accuracy of always choosing the longer answer."""
    prefers_longer: float | None
    """How often it prefers the longer answer; None where likelihoods do not say."""
    shared_words: tuple[int, int]
    """In how many pairs it takes the answer with more words of the question, and of how many."""
    kept: float
    """Rows that the round trained on."""
    tokens: float
    """Prompt tokens read and tokens written for them, by generator and judge."""
    minutes: float
    """What the round took, on the machine that the page names."""
    better: int
    """Random seeds whose gain is more than noise, after Holm's correction over the trial's sets."""
    worse: int


def cells(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str, int, str], Cell]:
    """Return (model, arm, round, set) → what was found."""
    verdicts: dict[int, int] = {}
    for tests in grouped(rows, "arm", "model", "seed", "round").values():
        for row, p in zip(tests, holm([row["p"] for row in tests]), strict=True):
            low, high = row["interval"] or (0, 0)
            # the test says whether it may be chance, the interval how large it is: both must say so
            sure = p <= LEVEL and (low > 0 or high < 0)
            verdicts[id(row)] = (1 if row["gain"] > 0 else -1) if sure else 0
    return {
        key: Cell(
            n=found[0]["n"],
            seeds=len(found),
            seed_right=mean(row["seed_right"] for row in found),
            right=mean(row["right"] for row in found),
            acc=mean(row["acc"] for row in found),
            longer=mean(row["longer"] for row in found),
            prefers_longer=mean_known(row.get("prefers_longer") for row in found),
            shared_words=summed(row.get("takes_shared_words") for row in found),
            kept=mean(row["kept"] for row in found),
            tokens=mean(row["tokens"] + row["prompt_tokens"] for row in found),
            minutes=mean(row["minutes"] for row in found),
            better=sum(verdicts[id(row)] > 0 for row in found),
            worse=sum(verdicts[id(row)] < 0 for row in found),
        )
        for key, found in grouped(rows, "model", "arm", "round", "set").items()
    }


def grouped(rows: Iterable[dict[str, Any]], *keys: str) -> dict[Any, list[dict[str, Any]]]:
    """Return values of the keys → rows that have them."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def mean_known(values: Iterable[float | None]) -> float | None:
    """Return the mean of the numbers among some values; None where there is none."""
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def summed(counts: Iterable[Sequence[int] | None]) -> tuple[int, int]:
    """Return the sums of two counts each, of those that are known."""
    known = [each for each in counts if each is not None]
    return sum(each[0] for each in known), sum(each[1] for each in known)


def mean(values: Iterable[float]) -> float:
    """Return the mean of some numbers."""
    found = list(values)
    return sum(found) / len(found)
