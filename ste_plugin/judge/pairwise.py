"""What all judges can do that compare pairs: one pair, many, awaited ones, and rankings."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from ste_plugin.errors import DataError
from ste_plugin.judge.asking import Texts
from ste_plugin.judge.batching import Batcher
from ste_plugin.judge.comparison import Comparison, identical, unable
from ste_plugin.judge.ranking import Ranking, check_answers, different_texts, rank_by_comparing
from ste_plugin.judge.texts import Pair, Prompt, problem_of, prompt_text
from ste_plugin.judging import JudgeFormat


class PairwiseJudge(ABC):
    """What compares two answers in both orders; safe to use from several threads."""

    name: str
    """What this judge is, in words."""
    format: JudgeFormat
    """How it is asked and read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._batcher = Batcher(self.compare_many)

    @abstractmethod
    def load(self) -> None:
        """Load what answers now rather than at the first comparison.

        Raises: EngineError where that is not possible.
        """

    @abstractmethod
    def close(self) -> None:
        """Free memory and connections; a later comparison opens them again."""

    @abstractmethod
    def _compare(self, pairs: Sequence[Texts]) -> list[Comparison]:
        """Return a comparison per pair of different, usable texts."""

    def _rank_by_rating(self, prompt: str, answers: Sequence[str]) -> Ranking | None:
        """Return the ranking of a judge that rates each answer alone, else None."""
        return None

    def compare(self, prompt: Prompt, a: str, b: str) -> Comparison:
        """Return which of two answers is better, as far as the judge says the same in both orders.

        Raises: DataError for an empty text, or one too long for the model; EngineError where the
        model or server cannot answer.
        """
        (comparison,) = self.compare_many([(prompt, a, b)])
        return _without_problem(self.name, comparison)

    def compare_many(self, pairs: Iterable[Pair]) -> list[Comparison]:
        """Return a comparison per pair `(prompt, a, b)`, in their order.

        All prompts go to the engine at once. One that cannot be compared does not stop the others:
        its `problem` says why. Identical answers are not shown to the judge.
        Raises: EngineError where the model or server cannot answer.
        """
        texts = list(map(_texts, pairs))
        known = [each if isinstance(each, Comparison) else None for each in texts]
        asked = [each for each in texts if not isinstance(each, Comparison)]
        compared = iter(self._compare(asked))
        return [each if each is not None else next(compared) for each in known]

    async def acompare(self, prompt: Prompt, a: str, b: str) -> Comparison:
        """Return what `compare` does; what is asked for meanwhile goes to the engine together."""
        (comparison,) = await self.acompare_many([(prompt, a, b)])
        return _without_problem(self.name, comparison)

    async def acompare_many(self, pairs: Iterable[Pair]) -> list[Comparison]:
        """Return what `compare_many` does; what is asked for meanwhile goes to the engine too."""
        futures = self._batcher.submit(list(pairs))
        return list(await asyncio.gather(*map(asyncio.wrap_future, futures)))

    def rank(self, prompt: Prompt, answers: Sequence[str], budget: int | None = None) -> Ranking:
        """Return the answers in the order of how good the judge finds them, and how sure that is.

        At most `budget` pairs are compared, by default n log2 n for n answers: in rounds, answers
        of about the same strength against each other. A format that rates is asked once per answer.
        Raises: DataError for an empty list or answer, or where no comparison says anything.
        """
        return self._rank(prompt, answers, budget, only_first=False)

    def best_of(self, prompt: Prompt, answers: Sequence[str], budget: int | None = None) -> Ranking:
        """Return the ranking that a knockout gives: `answers[judge.best_of(…).best]` is the best.

        It takes one comparison fewer than there are answers; the places behind the first are rough.
        Raises: DataError as `rank` does.
        """
        return self._rank(prompt, answers, budget, only_first=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rank(
        self, prompt: Prompt, answers: Sequence[str], budget: int | None, *, only_first: bool
    ) -> Ranking:
        answers = answers if isinstance(answers, str) else list(answers)
        check_answers(answers, budget)
        different, text = different_texts(answers), prompt_text(prompt)
        if problem := problem_of(text, answers[0], answers[0]):
            raise DataError(problem)

        def compare(pairs: Sequence[tuple[int, int]]) -> list[Comparison]:
            return self.compare_many([(text, different[a], different[b]) for a, b in pairs])

        if (rated := self._rank_by_rating(text, different)) is not None:
            return rated.of_all(different, answers)
        ranking = rank_by_comparing(len(different), compare, budget, only_first=only_first)
        return ranking.of_all(different, answers)


def _without_problem(name: str, comparison: Comparison) -> Comparison:
    """Return a comparison. Raises: DataError where it could not be made."""
    if comparison.problem:
        raise DataError(f"{name}: {comparison.problem}")
    return comparison


def _texts(pair: Pair) -> Texts | Comparison:
    """Return what is shown of a pair, or what is said of it without asking."""
    try:
        prompt, a, b = () if isinstance(pair, str | Mapping) else pair
        texts = (prompt_text(prompt), a, b)
    except DataError as error:
        return unable(str(error))
    except (TypeError, ValueError):
        return unable(f"found {str(pair)[:60]!r}; expected (prompt, a, b).")
    if problem := problem_of(*texts):
        return unable(problem)
    return identical() if a == b else texts
