"""How sure judges are of what they say, and of what is wrong, read in bounded memory.

Sampling that stops at a correct judgment draws more where a judge is wrong, so that shares of all
samples are biased. What is summed here is not: the estimate of `sampling.pass_rates`, what the
first two samples say (a second is drawn, by every rule, where the first is wrong), and of which
sample on a judge is right.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

from ste_plugin.audit.jackknife import Estimate, GroupedSums, Sums, change
from ste_plugin.errors import DataError
from ste_plugin.judging.verdict import Reading
from ste_plugin.lm_eval_tasks.judged_file import JUDGED, from_row
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.share_interval import clustered_interval
from ste_plugin.lm_eval_tasks.votes import always_drawn
from ste_plugin.records import Judgment, Verdict
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.storage.jsonl import iter_records, read_json, read_rows

SURE = 0.9
"""A judge is sure of a verdict that it gives in this share of samples, or with this likelihood."""
LEAST_SAMPLES = 5
"""Fewer that are all alike say little: three in a row are one coin in four."""
FIRST_RIGHT = ("1st", "2nd to 3rd", "4th to 7th", "8th or later", "none")
"""Which sample of a question is the first right one; the waves of `until_correct` end there."""
_ENDS = (1, 3, 7)

(QUESTIONS, RIGHT, RATED, DIFFER, TWICE, SURE_WRONG, SEVERAL, ALWAYS, FIRST) = range(9)
WIDTH = FIRST + len(FIRST_RIGHT)
"""Of the sums: questions (a pair in one order); pass rates, and of how many; how often two verdicts
on a question differ, and of how many; sure and wrong, and of how many that is known; right in all
samples; by which sample is the first right one."""


class Share(NamedTuple):
    """A figure that is one sum over another, by their places."""

    hits: int
    cases: int
    is_count: bool = True
    """Whether a case is a hit or none, rather than something between."""

    def of(self, sums: Sums) -> float | None:
        """Return the figure; None where there is no case."""
        return sums[self.hits] / sums[self.cases] if sums[self.cases] > 0 else None

    def estimate(self, sums: GroupedSums) -> Estimate:
        """Return the figure with its interval; none of too few groups."""
        found = sums.estimate(self.of)
        if found.interval is None:
            return found
        if self.is_count:  # near 0 and 1, leaving groups out would say that nothing else can be
            groups = [(g[self.hits], g[self.cases]) for g in sums.groups.values()]
            return Estimate(found.figure, clustered_interval(groups))
        return Estimate(found.figure, (max(0.0, found.interval[0]), min(1.0, found.interval[1])))


FIGURES = {
    "pass rate": Share(RIGHT, RATED),
    "entropy of verdicts": Share(DIFFER, TWICE, is_count=False),
    "confident errors": Share(SURE_WRONG, SEVERAL),
}


def changes(first: GroupedSums, last: GroupedSums) -> dict[str, Estimate]:
    """Return how each figure moved from one judge to another, with its interval."""
    beside = first.beside(last)
    return {name: beside.estimate(change(share.of, WIDTH)) for name, share in FIGURES.items()}


@dataclass
class Certainty:
    """What one judge said of one set of questions."""

    sums: GroupedSums = field(default_factory=lambda: GroupedSums(WIDTH))
    """By pair, or by prompt of held-out ones."""
    judged_by: int | None = None
    """The iteration whose judge it was, 0 being the seed; None not known."""
    rule: str = ""
    """By which samples were drawn; empty of held-out pairs."""
    samples: int = 0
    """Most samples of a question; 0 not known."""
    cut_short: bool = False
    """Whether the budget left samples out."""


def read_sampled(folder: Path, iteration: int) -> Certainty | None:
    """Return what a judge said when the data set of an iteration's stage was sampled.

    None where no judgments are kept, as of a data set that a plugin made.
    Raises: DataError where a file is damaged.
    """
    if not (folder / "judgments.jsonl").is_file():
        return None
    path = folder / "dataset" / "manifest.json"
    manifest = read_json(path) if path.is_file() else {}
    found = _as_told(manifest, iteration)
    for samples in _by_question(folder / "judgments.jsonl", found.samples):
        first = next(iter(samples.values()))
        found.sums.add(first.pair_key, _of_samples(samples, first.gold, found))
    rates = folder / "pass_rates.jsonl"
    for rate in iter_records(rates, PassRate) if rates.is_file() else ():
        if rate.rate is not None:
            found.sums.add(rate.pair_key, _row({RIGHT: rate.rate, RATED: 1}))
    return found


def _as_told(manifest: Mapping[str, Any], iteration: int) -> Certainty:
    judging = manifest.get("settings", {}).get("judging", {})
    return Certainty(
        judged_by=manifest.get("judged_by", {}).get("iteration", iteration - 1),
        rule=judging.get("sampling") or "",
        samples=judging.get("samples", 0),
        cut_short=bool(manifest.get("counts", {}).get("ended_by_budget")),
    )


def _by_question(path: Path, most: int) -> Iterator[dict[int, Judgment]]:
    """Yield the samples of each question by index, without those of a top-up; they are adjacent."""
    judgments = iter_records(path, Judgment)
    for _, group in groupby(judgments, key=lambda j: (j.pair_key, j.gold)):
        samples = {j.sample_index: j for j in group if not most or j.sample_index < most}
        if samples:
            yield samples


def _of_samples(samples: Mapping[int, Judgment], gold: Verdict, told: Certainty) -> list[float]:
    """Return what a question adds."""
    said = [samples[i].verdict if i in samples else None for i in range(max(samples) + 1)]
    right_at = said.index(gold) if gold in said else None
    place = len(_ENDS) + 1 if right_at is None else sum(right_at >= end for end in _ENDS)
    wrong = sum(j.verdict is not None and j.verdict != gold for j in samples.values())
    return _row(
        {
            QUESTIONS: 1,
            DIFFER: _differ(said, gold),
            TWICE: told.samples != 1,
            SURE_WRONG: len(samples) >= LEAST_SAMPLES and wrong >= SURE * len(samples),
            SEVERAL: told.samples >= LEAST_SAMPLES,
            ALWAYS: all(verdict == gold for verdict in said),
            FIRST + place: 1,
        }
    )


def _differ(said: list[Verdict | None], gold: Verdict) -> int:
    """Return what the first two samples say of how likely two verdicts differ, unbiased.

    Where the first is right a second may not be drawn. But the order of samples says nothing: a
    right one stands before another verdict as often as behind one, and these are counted twice.
    """
    if said[0] == gold or len(said) < 2:
        return 0
    return 2 if said[1] == gold else int(said[1] != said[0])


def _row(places: Mapping[int, float]) -> list[float]:
    return [float(places.get(place, 0)) for place in range(WIDTH)]


def read_held_out(evaluation: Path) -> Certainty | None:
    """Return what a judge said of held-out pairs, by its votes or else by likelihoods.

    None where there are neither, as of one reply per pair and order.
    Raises: DataError where the file is damaged.
    """
    path, found = evaluation / JUDGED, Certainty(samples=LEAST_SAMPLES)
    for number, row in read_rows(path) if path.is_file() else ():
        if "points" in row:  # best of four: no verdict between two
            return None
        try:
            pair = from_row(row)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}:{number}: not what an evaluation writes ({error}).") from error
        for order in pair.orders if pair.fits else ():
            if added := _of_order(order, pair):
                found.sums.add(pair.prompt, added)
    return found if found.sums.total()[QUESTIONS] else None


def _of_order(order: OrderVerdict, pair: JudgedPair) -> list[float] | None:
    votes = order.samples[: always_drawn(pair.asked)]
    if len(votes) >= LEAST_SAMPLES:
        right, wrong, differ = _of_votes(votes, order.gold)
    elif order.log_odds is not None:
        toward_a = 1 / (1 + exp(-max(-700.0, min(700.0, order.log_odds))))
        right = toward_a if order.gold == "A" else 1 - toward_a
        wrong, differ = 1 - right, 2 * right * (1 - right)
    else:
        return None
    return _row(
        {
            QUESTIONS: 1,
            RIGHT: order.final == order.gold,
            RATED: 1,
            DIFFER: differ,
            TWICE: 1,
            SURE_WRONG: wrong >= SURE,
            SEVERAL: 1,
        }
    )


def _of_votes(votes: tuple[Reading, ...], gold: Verdict) -> tuple[float, float, float]:
    """Return the shares of right and wrong votes, and how likely two of them differ, unbiased."""
    n = len(votes)
    alike = sum(votes.count(said) * (votes.count(said) - 1) for said in set(votes))
    wrong = sum(said in ("A", "B") and said != gold for said in votes)
    return votes.count(gold) / n, wrong / n, 1 - alike / (n * (n - 1))
