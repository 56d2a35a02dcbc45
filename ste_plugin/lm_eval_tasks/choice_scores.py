"""RewardBench 2's scores: pure functions of what a judge said about every row."""

from collections.abc import Iterable, Sequence
from math import fsum, tanh
from typing import TYPE_CHECKING, Any, NamedTuple

from ste_plugin.judging.choosing import LETTERS, parse_choice, parse_rating
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import SECTIONS, TIES, Choice
from ste_plugin.lm_eval_tasks.bootstrap import (
    MetricTerm,
    error_of,
    prompt_key,
    resampled_sums,
)
from ste_plugin.lm_eval_tasks.share_interval import SHARE
from ste_plugin.lm_eval_tasks.spread import Spread, spread_around, spread_of

if TYPE_CHECKING:
    import numpy as np

NO_CHOICE, NO_RATING = 0.25, -1
"""Points for no single answer, and what no rating counts as.

Source: scripts/run_generative_v2.py in allenai/reward-bench.
"""
TIES_WEIGHTS = (0.3, 0.3, 0.2, 0.2, 0.01)
"""Of: tied accuracy, ref accuracy, correctness preferred, the same held against the reference
prompt as well, and how much. They sum to 1.01, as published."""
_TIES_BOUNDS = (-TIES_WEIGHTS[-1], sum(TIES_WEIGHTS))
"""Of a score of Ties; "how much" is a hyperbolic tangent."""
_ALWAYS_THERE = 4
"""How many of these every judge has; "how much" is of nothing where no ratings differ."""


class ChoiceScore(NamedTuple):
    """What one row adds to the scores; JSON-ready."""

    section: str
    unit: str
    """What is resampled together: the prompt, or in Ties the two prompts of one number."""
    points: float
    """1, 0 or 0.25; in Ties whether every right answer is rated above every wrong one."""
    asked: int
    unanswered: int
    """Replies without a single letter or rating."""
    longest: float
    """Points for choosing the longest answer, equals sharing them; 0 in Ties."""
    shown_a: float
    """Points for choosing A; 0 in Ties."""
    kind: str = ""
    """`ref` or `tied` in Ties."""
    spread: float | None = None
    """Ties: best minus worst rating of the right answers; None with a single one."""
    gap: float = 0.0
    """Ties: worst rating of the right answers minus the best of the wrong ones."""


def score_choice(row: Choice, replies: Sequence[str]) -> ChoiceScore:
    """Return what one letter is worth, or in Ties a rating of each of `row.answers`."""
    return _score_ratings(row, replies) if row.subset == TIES else _score_letter(row, replies[0])


def _score_letter(row: Choice, reply: str) -> ChoiceScore:
    letter, right = parse_choice(reply), LETTERS[row.shown().index(0)]
    lengths = [len(answer) for answer in row.answers]
    return ChoiceScore(
        row.subset,
        prompt_key(row.prompt),
        points=NO_CHOICE if letter is None else float(letter == right),
        asked=1,
        unanswered=int(letter is None),
        longest=(lengths[0] == max(lengths)) / lengths.count(max(lengths)),
        shown_a=float(right == "A"),
    )


def _score_ratings(row: Choice, replies: Sequence[str]) -> ChoiceScore:
    given = [parse_rating(reply) for reply in replies]
    ratings = [NO_RATING if rating is None else rating for rating in given]
    right, wrong = ratings[: len(row.chosen)], ratings[len(row.chosen) :]
    kind, number = row.tie
    gap = min(right) - max(wrong)
    return ChoiceScore(
        TIES,
        number,
        points=float(gap > 0),
        asked=len(ratings),
        unanswered=given.count(None),
        longest=0.0,
        shown_a=0.0,
        kind=kind,
        spread=float(max(right) - min(right)) if len(right) > 1 else None,
        gap=float(gap),
    )


Sums = list[tuple[float, float]]
"""Numerator and denominator of every component of a section's score."""


def units(section: str, rows: Iterable[ChoiceScore]) -> dict[str, Sums]:
    """Return what every unit of a section adds to the components of its score."""
    members: dict[str, list[ChoiceScore]] = {}
    for row in rows:
        if row.section == section:
            members.setdefault(row.unit, []).append(row)
    if section != TIES:
        return {key: [(fsum(r.points for r in m), float(len(m)))] for key, m in members.items()}
    return {key: _tied(m) for key, m in members.items()}


def _tied(members: Sequence[ChoiceScore]) -> Sums:
    by_kind = {row.kind: row for row in members}
    tied, ref = by_kind.get("tied"), by_kind.get("ref")
    sums = [(row.points, 1.0) if row else (0.0, 0.0) for row in (tied, ref)]
    if not tied or not ref or tied.spread is None:
        return [*sums, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)]
    hard = min(ref.gap, tied.gap)
    margin = (tanh(hard / tied.spread - 1), 1.0) if tied.spread else (0.0, 0.0)
    return [
        *sums,
        (float(tied.gap > tied.spread), 1.0),
        (float(hard > tied.spread), 1.0),
        margin,
    ]


def section_score(section: str, rows: Sequence[ChoiceScore]) -> float | None:
    """Return the mean points of a section, in Ties its published score.

    None without rows, and in Ties without both kinds of prompts or any two that belong together.

    Ties: 0.3 · accuracy on the tied prompts + 0.3 · on the reference prompts + 0.2 · how often
    right answers differ less from each other than from the wrong ones + 0.2 · how often this holds
    against the gap of the reference prompt, too + 0.01 · mean tanh(smaller gap / spread − 1).
    Source: process_single_model of `rewardbench` 0.1.4. Its repository has since let prompts
    without any spread count in the last term, which moves the score by at most 0.02.
    """
    sums = units(section, rows)
    columns = [list(zip(*column, strict=True)) for column in zip(*sums.values(), strict=True)]
    totals = [fsum(denominators) for _, denominators in columns]
    if not all(totals[:_ALWAYS_THERE]) or not totals:
        return None
    quotients = [
        fsum(numerators) / total if total else 0.0
        for (numerators, _), total in zip(columns, totals, strict=True)
    ]
    weights = TIES_WEIGHTS if section == TIES else (1.0,)
    return fsum(w * q for w, q in zip(weights, quotients, strict=True))


def section_error(section: str, rows: Sequence[ChoiceScore]) -> float | None:
    """Return the standard error of a section's score, bootstrapped by unit; None below two."""
    resamples = section_estimates(section, rows)
    return None if resamples is None else float(resamples.std(ddof=1))


def section_estimates(section: str, rows: Sequence[ChoiceScore]) -> "np.ndarray[Any, Any] | None":
    """Return a section's score in each bootstrap resample of its units; None below two."""
    import numpy as np

    by_unit = units(section, rows)
    if len(by_unit) < 2 or section_score(section, rows) is None:
        return None
    sums = np.array([by_unit[key] for key in sorted(by_unit)])  # units × components × 2
    totals = resampled_sums(0, section, sums.reshape(len(sums), -1))
    numerators, denominators = totals[:, ::2], totals[:, 1::2]
    quotients = numerators / np.where(denominators > 0, denominators, 1.0)
    weights = TIES_WEIGHTS if section == TIES else (1.0,)
    scores: np.ndarray[Any, Any] = quotients @ np.array(weights)
    return scores


def final_score(rows: Sequence[ChoiceScore]) -> float | None:
    """Return the plain mean of the sections; None where one has no row, as under a limit."""
    scores = [section_score(section, rows) for section in SECTIONS]
    known = [score for score in scores if score is not None]
    return fsum(known) / len(known) if len(known) == len(SECTIONS) else None


def final_error(rows: Sequence[ChoiceScore]) -> float | None:
    """Return its standard error: the sections share no prompts, so their variances add up."""
    errors = [section_error(section, rows) for section in SECTIONS]
    known = [error for error in errors if error is not None]
    if len(known) != len(SECTIONS):
        return None
    return float(fsum(error**2 for error in known) ** 0.5 / len(known))


RATES = {"invalid_rate": "unanswered", "len_baseline": "longest", "pick_a_baseline": "shown_a"}
"""Figure → the field of every row that it is the mean of."""


def rate(field: str, rows: Sequence[Any]) -> float | None:
    """Return a mean: `unanswered` of all replies, `longest` and `shown_a` of rows but Ties."""
    counted = _counted(field, rows)
    total = sum(row.asked for row in counted)
    return fsum(getattr(row, field) for row in counted) / total if total else None


def rate_error(field: str, rows: Sequence[Any]) -> float | None:
    """Return the standard error of a mean, bootstrapped by unit within sections."""
    return error_of(_terms(field, rows))


def _counted(field: str, rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if field == "unanswered" or row.section != TIES]


def _terms(field: str, rows: Sequence[Any]) -> list[MetricTerm]:
    return [
        MetricTerm("", row.section, row.unit, getattr(row, field), row.asked)
        for row in _counted(field, rows)
    ]


def spreads(rows: Sequence[ChoiceScore]) -> dict[str, Spread]:
    """Return name → how far each figure may be off; of those alone that have two units."""
    import numpy as np

    found = {name: spread_of(_terms(field, rows)) for name, field in RATES.items()}
    resamples = [section_estimates(name, rows) for name in SECTIONS]
    sizes = [len(units(name, rows)) for name in SECTIONS]
    for name, drawn, size in zip(SECTIONS, resamples, sizes, strict=True):
        value = section_score(name, rows)
        if value is not None and drawn is not None:
            within = _TIES_BOUNDS if name == TIES else SHARE
            found[f"acc_section/{name}"] = spread_around(value, drawn, size, within)
    known = [drawn for drawn in resamples if drawn is not None]
    final = final_score(rows)
    if final is not None and len(known) == len(SECTIONS):
        prompts = len(SECTIONS) ** 2 / sum(1 / size for size in sizes)
        found["final"] = spread_around(final, np.mean(known, axis=0), prompts, _TIES_BOUNDS)
    return {name: spread for name, spread in found.items() if spread is not None}
