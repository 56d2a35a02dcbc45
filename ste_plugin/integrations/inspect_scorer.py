"""The judge as a scorer of inspect_ai: how often a model's answers beat the targets.

Needs inspect_ai (tested with 0.3.285), which this package does not install.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.log import read_eval_log
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    ci_wilson,
    mean,
    metric,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState

from ste_plugin.cascade import open_judge
from ste_plugin.errors import DataError
from ste_plugin.integrations.scoring import By, checked_by
from ste_plugin.integrations.single import AsyncComparer, Outcome, score_against

Key = tuple[str, int]
"""A sample's id and its epoch, from 1."""


@metric  # type: ignore[untyped-decorator]
def abstained() -> Metric:
    """Return the share of samples in which the judge named no winner."""

    def share(scores: list[SampleScore]) -> float:
        said = [bool((each.score.metadata or {}).get("abstained")) for each in scores]
        return sum(said) / len(said) if said else 0.0

    return share


@scorer(metrics=[mean(), stderr(), ci_wilson(), abstained()])  # type: ignore[untyped-decorator]
def win_rate(
    judge: str | AsyncComparer,
    *,
    baseline: str | None = None,
    by: By = "verdict",
    base_url: str | None = None,
    api_key_env: str | None = None,
    engine: str | None = None,
    options: Mapping[str, Any] | None = None,
    format: str | None = None,
    max_new_tokens: int | None = None,
    plugins: Sequence[str] = (),
) -> Scorer:
    """Score a sample's answer against its target, in both orders: 1 won, 0 lost, 0.5 neither.

    `judge`: a run's folder, a model's folder or, with `base_url`, its name on a server, opened with
    the settings behind it as `ste_plugin.Judge` is; or an open judge. `baseline`: a log of another
    model on the same samples, whose answers take the place of the targets. `by`: `verdict`, or
    `probability` for the judge's chance that the answer is better. What cannot be compared, as one
    too long, is unscored, as is a sample without output; a judge that cannot answer is an error.
    Raises: ConfigError or DataError where there is no such judge, setting or log.
    """
    checked = checked_by(by)
    opened = (
        open_judge(
            judge,
            base_url=base_url,
            api_key_env=api_key_env,
            engine=engine,
            options=options,
            format=format,
            max_new_tokens=max_new_tokens,
            plugins=plugins,
        )
        if isinstance(judge, str)
        else judge
    )
    others = None if baseline is None else _answers_of(baseline)

    async def score(state: TaskState, target: Target) -> Score:
        if not state.output.choices:
            return Score.unscored(explanation="The model gave no output, as after an error.")
        other = _only(target) if others is None else _baseline_answer(others, state, str(baseline))
        answer = state.output.completion
        outcome = await score_against(
            opened,
            _turns(state.input),
            answer,
            other,
            checked,
            may_be_empty=others is not None,
        )
        return _as_score(outcome, answer)

    return score


def _as_score(outcome: Outcome, answer: str) -> Score:
    comparison = outcome.comparison
    if outcome.score is None:
        return Score.unscored(answer=answer, explanation=outcome.why)
    told = {
        "abstained": comparison.abstained if comparison else "",
        "probability": comparison.probability if comparison else None,
        "orders": [order.verdict for order in comparison.orders] if comparison else [],
    }
    return Score(value=outcome.score, answer=answer, explanation=outcome.why, metadata=told)


def _only(target: Target) -> str:
    """Return the target. Raises: DataError where there are several to choose from."""
    if len(target) > 1:
        raise DataError(
            f"target: found {len(target)} of them; expected one answer to compare with. Keep one "
            "in each sample, or compare with a baseline."
        )
    return str(target.text)


def _turns(given: Any) -> Any:
    """Return a sample's input as text, or as turns."""
    if isinstance(given, str):
        return given
    return [{"role": message.role, "content": message.text} for message in given]


@cache
def _answers_of(log: str) -> Mapping[Key, str]:
    """Return the answers in a log. Raises: DataError where it is none, or has no samples."""
    if not Path(log).is_file():
        raise DataError(f"baseline {log}: no such file; expected a log of inspect_ai.")
    samples = read_eval_log(log).samples or []
    if not samples:
        raise DataError(f"baseline {log}: no samples in it; expected a log of a finished task.")
    return {(str(s.id), s.epoch): s.output.completion for s in samples if s.output.choices}


def _baseline_answer(answers: Mapping[Key, str], state: TaskState, log: str) -> str:
    """Return the answer to a sample in its epoch, or in the first. Raises: DataError."""
    key = str(state.sample_id)
    answer = answers.get((key, state.epoch), answers.get((key, 1)))
    if answer is None:
        raise DataError(
            f"baseline {log}: no answer to sample {key!r} among {len(answers)}; expected a log of "
            "the same task. Score only its samples (--sample-id), or run the baseline on all."
        )
    return answer
