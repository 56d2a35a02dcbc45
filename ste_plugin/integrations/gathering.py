"""Comparisons that arrive one by one, made in batches: some hosts score each sample on its own."""

import asyncio
from typing import Any, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.integrations.scoring import LOST, By, Comparer, Pair, score_of
from ste_plugin.integrations.texts import read_answer, read_prompt
from ste_plugin.judge.comparison import Comparison


class Outcome(NamedTuple):
    """What one answer earned against another."""

    score: float | None
    """1 for winning, 0 for losing, 0.5 for neither; None where the two cannot be compared."""
    why: str
    """What the judge wrote, or why there is no such thing."""
    comparison: Comparison | None = None
    """None where the judge was not asked."""


class GatheredJudge:
    """A judge for coroutines: while it compares one batch, what arrives waits for the next.

    So a lone pair does not wait for company, and many pairs take as long as one batch of them.
    """

    def __init__(self, judge: Comparer) -> None:
        self._judge = judge
        self._waiting: list[tuple[Pair, asyncio.Future[Comparison]]] = []
        self._work: asyncio.Task[None] | None = None

    async def score(
        self, prompt: Any, completion: Any, reference: Any, by: By = "verdict"
    ) -> Outcome:
        """Return what a completion earns against a reference, both as a host hands them over.

        An empty completion loses without being shown.
        Raises: DataError for an empty reference or what is no text; EngineError where the judge's
        model or server cannot answer.
        """
        asked, answer = read_prompt(prompt), read_answer(completion)
        other = read_answer(reference, where="reference")
        if not other:
            raise DataError("reference: empty; expected the answer to compare with.")
        if not answer:
            return Outcome(LOST, "The answer is empty.")
        comparison = await self.compare((asked, answer, other))
        if comparison.problem:
            return Outcome(None, comparison.problem, comparison)
        return Outcome(score_of(comparison, by), _why(comparison), comparison)

    async def compare(self, pair: Pair) -> Comparison:
        """Return the comparison of `(prompt, a, b)`.

        Raises: what the judge raised for the batch, as EngineError where its server failed.
        """
        future: asyncio.Future[Comparison] = asyncio.get_running_loop().create_future()
        self._waiting.append((pair, future))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._compare_waiting())
        return await future

    async def _compare_waiting(self) -> None:
        await asyncio.sleep(0)  # whoever is ready comes along with the first
        while self._waiting:
            batch, self._waiting = self._waiting, []
            wanted = [(pair, future) for pair, future in batch if not future.done()]
            if wanted:
                await self._compare_batch(wanted)

    async def _compare_batch(self, batch: list[tuple[Pair, asyncio.Future[Comparison]]]) -> None:
        pairs = [pair for pair, _ in batch]
        try:
            compared = await asyncio.to_thread(self._judge.compare_many, pairs)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), comparison in zip(batch, compared, strict=True):
            if not future.done():
                future.set_result(comparison)


def _why(comparison: Comparison) -> str:
    if comparison.abstained:
        return f"The judge abstains: {comparison.abstained}. {comparison.reasoning}".strip()
    return comparison.reasoning
