"""One answer against another, for hosts that score each sample on its own, many at once."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from ste_plugin.errors import DataError
from ste_plugin.integrations.scoring import DRAW, LOST, WON, By, score_of
from ste_plugin.integrations.texts import read_answer, read_prompt
from ste_plugin.judge.comparison import Comparison
from ste_plugin.judge.silence import broken_reply
from ste_plugin.judge.texts import Pair


class AsyncComparer(Protocol):
    """What compares pairs of answers, those asked for meanwhile together, as a `Judge` does."""

    async def acompare_many(self, pairs: Iterable[Pair]) -> list[Comparison]:
        """Return a comparison per pair `(prompt, a, b)`, in their order."""
        ...


class Outcome(NamedTuple):
    """What one answer earned against another."""

    score: float | None
    """1 for winning, 0 for losing, 0.5 for neither; None where the two cannot be compared."""
    why: str
    """What the judge wrote, or why there is no such thing."""
    comparison: Comparison | None = None
    """None where the judge was not asked."""


async def score_against(
    judge: AsyncComparer,
    prompt: Any,
    completion: Any,
    reference: Any,
    by: By = "verdict",
    *,
    may_be_empty: bool = False,
) -> Outcome:
    """Return what a completion earns against a reference, both as a host hands them over.

    An empty completion loses without being shown. `may_be_empty`: so does an empty reference, as
    where a model wrote it; otherwise it is an error.
    Raises: DataError for an empty reference or what is no text; EngineError where the judge's
    model or server cannot answer.
    """
    asked, answer = read_prompt(prompt), read_answer(completion)
    other = read_answer(reference, where="reference")
    if not other and not may_be_empty:
        raise DataError("reference: empty; expected the answer to compare with.")
    if not answer or not other:
        return _of_empty(answer, other)
    (comparison,) = await judge.acompare_many([(asked, answer, other)])
    if comparison.problem:
        return Outcome(None, comparison.problem, comparison)
    return Outcome(score_of(comparison, by), _why(comparison), comparison)


def _of_empty(answer: str, other: str) -> Outcome:
    if answer:
        return Outcome(WON, "The answer that it is compared with is empty.")
    return Outcome(LOST, "The answer is empty.") if other else Outcome(DRAW, "Both are empty.")


def _why(comparison: Comparison) -> str:
    if comparison.abstained:
        broken = broken_reply(comparison)
        said = f"A reply of it is {broken}." if broken else comparison.reasoning
        return f"The judge abstains: {comparison.abstained}. {said}".strip()
    return comparison.reasoning
