"""A judge in Python: which of two answers is better, in both orders, as training asks."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, get_ident
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from ste_plugin.context import open_engine
from ste_plugin.engines.base import Stoppable
from ste_plugin.engines.choice_likelihoods import started
from ste_plugin.engines.identity import model_path
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judge.asking import Asker, Sample
from ste_plugin.judge.batching import Batcher
from ste_plugin.judge.comparison import Comparison, identical, made, unable
from ste_plugin.judge.probability import Spread
from ste_plugin.judge.ranking import Ranking, checked_answers, different_texts, rank_by_comparing
from ste_plugin.judge.rated import rank_by_rating
from ste_plugin.judge.reading import read_comparison, read_spreads
from ste_plugin.judge.texts import (
    Columns,
    Pair,
    Prompt,
    Texts,
    check_columns,
    is_same,
    read_pair,
)
from ste_plugin.judge.which import OfModel, find_judge, requests_to
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.calibration import temperature_of
from ste_plugin.judging.published import check_published
from ste_plugin.plugins.judge_formats import find_judge_format
from ste_plugin.plugins.manager import plugin_manager


class Judge:
    """A trained judge, or any model that judges; safe to use from several threads.

    `judge`: a run's folder or config, for the judge that it ships (or that of `iteration`),
    asked as the run is configured; or a model's folder, hub id or name on a server. Of a model
    `format` is the judge format it is asked in (by default `criteria`), `engine` what runs it
    (by default `auto`, with `base_url` `http`), `options` and `chat_template_kwargs` as in a
    run's config; `api_key_env` names the environment variable with the server's key.

    `samples`: 1 is the likeliest reply; of more, drawn at the judge's temperature, the majority
    counts. `likelihoods`: look at those of the letters, where the engine can tell.
    `force_verdict` and `max_new_tokens` stand in for the run's. `columns`: what its format shows
    beside the texts, for all comparisons that name none of their own. `plugins`: files of hooks.

    >>> with Judge("runs/a") as judge:  # doctest: +SKIP
    ...     judge.compare("Name a fruit.", "An apple.", "A spade.").verdict
    'A'
    """

    def __init__(
        self,
        judge: str | Path,
        *,
        format: str | Path | None = None,
        iteration: int | None = None,
        samples: int = 1,
        likelihoods: bool = True,
        force_verdict: bool | None = None,
        max_new_tokens: int | None = None,
        engine: str | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        options: Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
        plugins: str | Path | Sequence[str | Path] = (),
    ) -> None:
        """Find a judge; its model is loaded, or its server called, at the first comparison.

        Raises: DataError or EngineError where there is no such judge, ConfigError for a wrong
        setting.
        """
        if not isinstance(samples, int) or samples < 1:
            raise ConfigError(f"samples: found {samples!r}; expected a whole number, at least 1.")
        files = list(map(Path, [plugins] if isinstance(plugins, str | Path) else plugins or ()))
        form = str(format) if format else None
        found = find_judge(
            judge,
            files,
            iteration,
            OfModel(form, engine, base_url, api_key_env, options, chat_template_kwargs),
            {"force_verdict": force_verdict, "max_new_tokens": max_new_tokens},
        )
        self.name = found.name
        """What this judge is, in words."""
        manager = plugin_manager(files)
        words, setting = found.judging, found.format_setting
        judge_format = find_judge_format(
            manager, words.format, setting, found.place.base, words.rubric
        )
        check_published(found.model.model, words.format, judge_format)
        folder = model_path(found.model, found.place.base)
        self.temperature = temperature_of(folder, judge_format.version)
        """What the log-odds of its letters are divided by: 1 where it was not calibrated."""
        check_columns(judge_format, columns or {})
        self.format: JudgeFormat = judge_format
        """How it is asked and read."""
        self._columns: Columns = dict(columns or {})
        self._engine = open_engine(found.model, found.place, manager)
        self._asker = Asker(requests_to(found, self.format, samples), samples, likelihoods)
        self._batcher = Batcher(self.compare_many, stop=self._stop)
        self._renew()
        _JUDGES.add(self)

    def _renew(self) -> None:
        """Begin anew, as in a forked process, where no thread is left to let go of a lock."""
        self._lock, self._turn = Lock(), Lock()
        self._asking: int | None = None
        self._batcher.renew()

    def load(self) -> None:
        """Load the model now rather than at the first comparison.

        Raises: EngineError where that is not possible.
        """
        with self._lock:
            started(self._engine)

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
        texts = list(map(self._texts, pairs))
        known = [each if isinstance(each, Comparison) else None for each in texts]
        asked = [each for each in texts if not isinstance(each, Comparison)]
        compared = iter(self._compare(asked))
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

    def close(self) -> None:
        """Free the model's memory and connections; a later comparison opens them again."""
        with self._lock:
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _stop(self, thread: int) -> None:
        """End what a thread asks, where the engine can."""
        with self._turn:
            if self._asking == thread and isinstance(self._engine, Stoppable):
                self._engine.stop()

    @contextmanager
    def _asked(self, shown: Sequence[Texts]) -> Iterator[list[list[Sample]]]:
        """Ask, one thread at a time, and stay the one that may until the block ends."""
        with self._lock:
            with self._turn:
                self._asking = get_ident()
            try:
                yield self._asker.ask(self._engine, shown)
            finally:
                with self._turn:
                    self._asking = None

    def _texts(self, pair: Pair) -> Texts | Comparison:
        """Return what is shown of a pair, or what is said of it without asking."""
        try:
            texts = read_pair(pair, self.format, self._columns)
            return identical() if is_same(texts, self.format) else texts
        except (DataError, ConfigError) as error:
            return unable(str(error))

    def _compare(self, pairs: Sequence[Texts]) -> list[Comparison]:
        if not pairs:
            return []
        with self._asked([each for pair in pairs for each in (pair, pair.turned)]) as asked:
            return [
                self._read(first, second)
                for first, second in zip(asked[::2], asked[1::2], strict=True)
            ]

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
        first = read_pair((prompt, answers[0], answers[0], own), self.format, self._columns)

        def compare(pairs: Sequence[tuple[int, int]]) -> list[Comparison]:
            return self.compare_many([(prompt, different[a], different[b], own) for a, b in pairs])

        if self.format.pointwise:
            shown = [first._replace(a=each, b=each) for each in different]
            return rank_by_rating(self._rate(shown)).of_all(different, answers)
        ranking = rank_by_comparing(len(different), compare, budget, only_first=only_first)
        return ranking.of_all(different, answers)

    def _rate(self, shown: Sequence[Texts]) -> list[Spread]:
        """Return what is said of each answer: score → how likely it is."""
        with self._asked(shown) as asked:
            prompts = [(samples, list(map(self._asker.reply, samples))) for samples in asked]
        return read_spreads(self.format, prompts)[0]

    def _read(self, *prompts: Sequence[Sample]) -> Comparison:
        unfit = next((s for samples in prompts for s in samples if s.is_too_long), None)
        if unfit is not None:
            return unable(self._asker.too_long(self._engine, unfit))
        first, second = [(s, list(map(self._asker.reply, s))) for s in prompts]
        return read_comparison(self.format, first, second, self.temperature)


_JUDGES: WeakSet[Judge] = WeakSet()


def _renew_all() -> None:
    for judge in list(_JUDGES):
        judge._renew()


os.register_at_fork(after_in_child=_renew_all)
