"""Fitting a cascade: ask every stage about labelled pairs, and find what keeps the promise."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, NamedTuple

from ste_plugin.cascade import curve as curves
from ste_plugin.cascade.curve import Point
from ste_plugin.cascade.labels import FitLabels, FitPair
from ste_plugin.cascade.outcome import Outcome, decision_entropy
from ste_plugin.cascade.promise import (
    Tested,
    assess_settings,
    least_prompts,
    more_prompts,
    one_per_prompt,
)
from ste_plugin.cascade.settings import Fitted, Ties
from ste_plugin.cascade.stages import Stages, asked_as, no_likelihoods, require_likelihoods
from ste_plugin.cascade.words import promise_in_words
from ste_plugin.errors import ConfigError, DataError, Inconclusive
from ste_plugin.judge import Comparison, Judge
from ste_plugin.judge.silence import is_unread, why_silent
from ste_plugin.judge.texts import Pair
from ste_plugin.lm_eval_tasks.bootstrap import prompt_key
from ste_plugin.records import Record

_FIRST, _LEAST = 32, 8
"""A judge with reasons is asked about so many pairs before all others; of no fewer than the least
a verdict on none is no accident."""


class Promise(NamedTuple):
    """What is to be promised."""

    error: float
    confidence: float = 0.95
    ties: Ties = "left out"

    def check(self) -> None:
        """Raise ConfigError where it is no promise."""
        for name, value in (("error", self.error), ("confidence", self.confidence)):
            if not 0 < value < 1:
                raise ConfigError(
                    f"--{name}: found {value:g}; expected a share between 0 and 1, such as "
                    f"{0.10 if name == 'error' else 0.95:.2f}."
                )


class Fit(NamedTuple):
    """What labels say of a cascade."""

    tested: list[Tested]
    prompts: int
    """Of each, one pair was tested."""
    curve: list[Point]
    """Every setting, of all pairs and by subset."""
    alone: Point | None
    """The reasoning judge alone, where there is one."""
    best: Tested | None
    """The setting that keeps the promise and answers most; None where none keeps it."""
    more: int | None
    """About how many more prompts it takes, where none does; None: no number would."""

    def point_of(self, tested: Tested) -> Point:
        """Return what a setting does to all pairs."""
        return next(p for p in self.curve if p.setting == tested.setting and not p.subset)


def require_enough(labels: FitLabels, promise: Promise, depth: int) -> None:
    """Return if so many labels can keep a promise at all, before a judge is asked.

    Raises: Inconclusive with the number that is missing; DataError where no label prefers one
    answer.
    """
    counted = [p for p in labels.pairs if p.preferred is not None or promise.ties == "wrong"]
    if not counted:
        raise DataError(
            f"labels: on none of {len(labels.pairs)} pairs does the label prefer one answer, so "
            "that nobody can be right about them. Label more, or count ties as wrong: --ties wrong."
        )
    prompts = len({prompt_key(pair.prompt) for pair in counted})
    least = least_prompts(promise.error, promise.confidence, depth)
    if prompts < least:
        raise Inconclusive(
            f"ste cascade fit: {prompts} labelled prompts are too few to promise an error of "
            f"{promise.error:g}: it takes at least {least - prompts} more, and that only if all "
            "are answered and none of them wrong. Label more, or promise less (--error). No judge "
            "was asked, and nothing is written."
        )


def ask_all(
    stages: Stages,
    labels: FitLabels,
    ties: Ties,
    say: Callable[[str], object] = lambda _: None,
) -> list[Outcome]:
    """Return what the judges said of every pair, and close them.

    Raises: ConfigError where the first one tells no probabilities; DataError where no verdict of
    the one with reasons can be read; EngineError where one of them cannot answer.
    """
    said: list[list[Comparison]] = [[] for _ in labels.pairs]
    try:
        require_likelihoods(stages["decision"])
        due = list(range(len(said)))
        for name, judge in stages.items():
            say(f"{name}: {len(due)} pairs, {judge.name}")
            shown = [labels.pairs[i].shown_to(judge) for i in due]
            found = _heard(judge, shown) if name == "reasoning" else judge.compare_many(shown)
            for i, comparison in zip(due, found, strict=True):
                said[i].append(comparison)
            if name == "decision":
                _require_probabilities(judge.name, [each[0] for each in said])
            else:
                due = [i for i in due if said[i][-1].verdict is None]
    finally:
        for judge in stages.values():
            judge.close()
    return [outcome_of(*each, ties) for each in zip(labels.pairs, said, strict=True)]


def _heard(judge: Judge, pairs: Sequence[Pair]) -> list[Comparison]:
    """Return what a judge says of pairs, having asked about a few from all over them first.

    Raises: DataError where no verdict can be read on any of these.
    """
    first = range(0, len(pairs), ceil(len(pairs) / _FIRST) or 1)
    found = dict(zip(first, judge.compare_many(pairs[i] for i in first), strict=True))
    asked = [each for each in found.values() if each.abstained != "identical answers"]
    if len(asked) >= _LEAST and all(map(is_unread, asked)):
        raise DataError(
            f"reasoning: no verdict of {judge.name} could be read on any of the first {len(asked)} "
            f"pairs that it was asked about. {why_silent(asked)} Nothing more was asked, and "
            "nothing is written."
        )
    others = [i for i in range(len(pairs)) if i not in found]
    found |= zip(others, judge.compare_many(pairs[i] for i in others), strict=True)
    return [found[i] for i in range(len(pairs))]


def outcome_of(pair: FitPair, said: Sequence[Comparison], ties: Ties = "left out") -> Outcome:
    """Return what the stages said of a pair, as far as its label tells right from wrong."""
    return Outcome(
        key=pair.key,
        subset=pair.subset,
        prompt=prompt_key(pair.prompt),
        entropy=decision_entropy(said[0]),
        right=[None if s.verdict is None else _is_right(s, pair) for s in said],
        tokens=[s.tokens for s in said],
        labelled=pair.preferred is not None or ties == "wrong",
    )


def _is_right(said: Comparison, pair: FitPair) -> bool:
    return pair.preferred is not None and said.verdict == "AB"[pair.preferred]


def _require_probabilities(name: str, said: Sequence[Comparison]) -> None:
    """Raise ConfigError where a decision has no probability to go by, DataError where none came.

    Decisions that all differ between the orders are no error: every pair is passed on.
    """
    if any(each.probability_from == "likelihoods" for each in said):
        return
    if any(each.verdict is not None for each in said):
        raise no_likelihoods(name)
    why = next((each.problem or each.abstained for each in said), "no pair")
    raise DataError(
        f"decision: {name} gave no verdict on any of {len(said)} pairs (the first: {why}). Look at "
        "one: `ste judge`; a judge of letters takes format decision, or verdict with force_verdict "
        "where it does not say one."
    )


def fit(outcomes: Sequence[Outcome], promise: Promise, depth: int) -> Fit:
    """Return what labels, of which there are enough, say of every setting of so many stages."""
    alone_per_prompt = one_per_prompt(outcomes)
    tested = assess_settings(alone_per_prompt, promise.error, promise.confidence, depth)
    points = curves.curve(outcomes, depth)
    found = Fit(tested, len(alone_per_prompt), points, curves.reference(outcomes), None, None)
    if best := [each for each in tested if each.passed]:
        return found._replace(best=max(best, key=lambda each: _worth(found.point_of(each))))
    return found._replace(more=more_prompts(tested, found.prompts, promise.error))


def _worth(point: Point) -> tuple[float, ...]:
    """Return by what settings that keep the promise are ordered: answered, then fewer tokens."""
    return point.answered, -point.written_tokens, -point.prompt_tokens


def fitted(
    found: Fit, promise: Promise, labels: FitLabels, stages: Stages, outcomes: Sequence[Outcome]
) -> Fitted:
    """Return what is written of a fit whose promise is kept by some setting."""
    best = found.best
    if best is None:
        raise ValueError("no setting keeps the promise")
    used = list(stages)[: best.setting.depth]
    return Fitted(
        error=promise.error,
        confidence=promise.confidence,
        promise=promise_in_words(*promise[:2], found.prompts, labels.by, promise.ties),
        labels_by=labels.by,
        deepest=best.setting.deepest,
        threshold=best.setting.threshold,
        pairs=len(outcomes),
        tied=sum(pair.preferred is None for pair in labels.pairs),
        ties=promise.ties,
        prompts=found.prompts,
        answered=best.answered,
        wrong=best.wrong,
        bound=round(best.bound, 4),
        asked_as={name: asked_as(stages)[name]._asdict() for name in used},
        curve=list(map(_row, [*found.curve, *([found.alone] if found.alone else [])])),
    )


def _row(point: Record) -> dict[str, Any]:
    return point.to_dict()
