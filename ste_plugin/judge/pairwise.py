"""What all judges can do that compare pairs: one pair, many, awaited ones, and rankings."""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judge.batching import Batcher
from ste_plugin.judge.comparison import Comparison, identical, made, unable
from ste_plugin.judge.ranking import Ranking, checked_answers, different_texts, rank_by_comparing
from ste_plugin.judge.texts import (
    Columns,
    Pair,
    Prompt,
    Texts,
    is_same,
    known_columns,
    read_pair,
)
from ste_plugin.judging import JudgeFormat


class PairwiseJudge(ABC):
    """What compares two answers in both orders; safe to use from several threads."""

    def __init__(
        self,
        name: str,
        judge_format: JudgeFormat,
        columns: Columns,
        formats: Sequence[JudgeFormat] = (),
    ) -> None:
        """`columns`: what is shown beside the texts of all pairs that have none of their own.

        `formats`: those by which pairs are read, where that is not the judge's own alone.
        """
        self.name = name
        """What this judge is, in words."""
        self.format = judge_format
        """How it is asked and read."""
        self.formats: tuple[JudgeFormat, ...] = tuple(formats) or (judge_format,)
        """All in which it is asked, by which pairs are read."""
        self._columns: Columns = dict(columns)
        self._batcher = Batcher(self.compare_many, stop=self._stop)
        _JUDGES.add(self)

    def columns_of(self, subset: str, shown: Columns) -> Columns:
        """Return what this judge takes of a labelled pair's row: what its formats show beside the
        texts, and what a rubric is chosen by."""
        row = {"subset": subset, **shown}
        return {name: row[name] for name in known_columns(self.formats) if name in row}

    @abstractmethod
    def load(self) -> None:
        """Load what answers now rather than at the first comparison.

        Raises: EngineError where that is not possible.
        """

    @property
    def about(self) -> dict[str, Any]:
        """What else is to be known of it, as JSON values."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Free memory and connections; a later comparison opens them again."""

    @abstractmethod
    def compare_texts(self, pairs: Sequence[Texts]) -> list[Comparison]:
        """Return a comparison per pair of texts that were read already, and differ.

        Raises: EngineError where the model or server cannot answer.
        """

    @abstractmethod
    def _stop(self, thread: int) -> None:
        """End what a thread asks, as far as that is possible."""

    def _renew(self) -> None:
        """Begin anew, as in a forked process."""
        self._batcher.renew()

    def _rank_by_rating(self, answers: Sequence[Texts]) -> Ranking | None:
        """Return the ranking of a judge that rates each answer alone, else None."""
        return None

    def compare(self, prompt: Prompt, a: str, b: str, columns: Columns | None = None) -> Comparison:
        """Return which of two answers is better, as far as the judge says the same in both orders.

        `columns`: what the format shows of this pair beside them.
        Raises: DataError for an empty text, one too long for the model, or a column that is missing
        or none of the format's; EngineError where the model or server cannot answer.
        """
        (comparison,) = self.compare_many([(prompt, a, b, columns or {})])
        return made(self.name, comparison)

    def compare_many(self, pairs: Iterable[Pair]) -> list[Comparison]:
        """Return a comparison per pair `(prompt, a, b)`, or `(prompt, a, b, columns)`, in order.

        All prompts go to the engine at once. One that cannot be compared does not stop the others:
        its `problem` says why. Answers that look the same to the judge are not shown to it.
        Raises: EngineError where the model or server cannot answer.
        """
        if isinstance(pairs, str) or not isinstance(pairs, Iterable):
            raise DataError(f"pairs: found {str(pairs)[:40]!r}; expected a list of (prompt, a, b).")
        texts = list(map(self._read, pairs))
        known = [each if isinstance(each, Comparison) else None for each in texts]
        asked = [each for each in texts if not isinstance(each, Comparison)]
        compared = iter(self.compare_texts(asked))
        return [each if each is not None else next(compared) for each in known]

    async def acompare(
        self, prompt: Prompt, a: str, b: str, columns: Columns | None = None
    ) -> Comparison:
        """Return what `compare` does; what is asked for meanwhile goes to the engine together."""
        (comparison,) = await self.acompare_many([(prompt, a, b, columns or {})])
        return made(self.name, comparison)

    async def acompare_many(self, pairs: Iterable[Pair]) -> list[Comparison]:
        """Return what `compare_many` does; what is asked for meanwhile goes to the engine too.

        What is cancelled is not asked any more, as far as the engine can be stopped.
        """
        futures = self._batcher.submit(list(pairs))
        try:
            return list(await asyncio.gather(*map(asyncio.wrap_future, futures)))
        except asyncio.CancelledError:
            self._batcher.give_up(futures)
            raise

    def rank(
        self,
        prompt: Prompt,
        answers: Sequence[str],
        budget: int | None = None,
        columns: Columns | None = None,
    ) -> Ranking:
        """Return the answers in the order of how good the judge finds them, and how sure that is.

        At most `budget` pairs are compared, by default n log2 n for n answers: in rounds, answers
        of about the same strength against each other. A format that rates is asked once per answer.
        Raises: DataError for an empty list or answer, or where no comparison says anything.
        """
        return self._rank(prompt, answers, budget, columns, only_first=False)

    def best_of(
        self,
        prompt: Prompt,
        answers: Sequence[str],
        budget: int | None = None,
        columns: Columns | None = None,
    ) -> Ranking:
        """Return the ranking that a knockout gives: `answers[judge.best_of(…).best]` is the best.

        It takes one comparison fewer than there are answers; the places behind the first are rough.
        Raises: DataError as `rank` does.
        """
        return self._rank(prompt, answers, budget, columns, only_first=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, pair: Pair) -> Texts | Comparison:
        """Return what is shown of a pair, or what is said of it without asking."""
        try:
            texts = read_pair(pair, self.formats, self._columns)
            return identical() if is_same(texts, self.formats) else texts
        except (DataError, ConfigError) as error:
            return unable(str(error))

    def _rank(
        self,
        prompt: Prompt,
        answers: Sequence[str],
        budget: int | None,
        columns: Columns | None,
        *,
        only_first: bool,
    ) -> Ranking:
        answers = checked_answers(answers, budget)
        different, own = different_texts(answers), columns or {}
        first = read_pair((prompt, answers[0], answers[0], own), self.formats, self._columns)

        def compare(pairs: Sequence[tuple[int, int]]) -> list[Comparison]:
            return self.compare_many([(prompt, different[a], different[b], own) for a, b in pairs])

        rated = self._rank_by_rating([first._replace(a=each, b=each) for each in different])
        if rated is not None:
            return rated.of_all(different, answers)
        ranking = rank_by_comparing(len(different), compare, budget, only_first=only_first)
        return ranking.of_all(different, answers)


_JUDGES: WeakSet[PairwiseJudge] = WeakSet()


def _renew_all() -> None:
    for judge in list(_JUDGES):
        judge._renew()


os.register_at_fork(after_in_child=_renew_all)
