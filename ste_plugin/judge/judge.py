"""A judge in Python: which of two answers is better, in both orders, as training asks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from ste_plugin.context import open_engine
from ste_plugin.engines.choice_likelihoods import started
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judge.asking import Asker, Sample, Texts
from ste_plugin.judge.batching import Batcher
from ste_plugin.judge.comparison import Comparison, identical, unable
from ste_plugin.judge.probability import Spread
from ste_plugin.judge.ranking import Ranking, checked_answers, different_texts, rank_by_comparing
from ste_plugin.judge.rated import rank_by_rating
from ste_plugin.judge.reading import read_comparison, read_spreads
from ste_plugin.judge.texts import Pair, Prompt, problem_of, prompt_text
from ste_plugin.judge.which import FoundJudge, OfModel, find_judge
from ste_plugin.judging import JudgeFormat
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
    beside the texts, the same for all comparisons. `plugins`: files of hooks.

    >>> with Judge("runs/a") as judge:  # doctest: +SKIP
    ...     judge.compare("Name a fruit.", "An apple.", "A spade.").verdict
    'A'
    """

    def __init__(
        self,
        judge: str | Path,
        *,
        format: str | None = None,
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
        plugins: Sequence[str | Path] = (),
    ) -> None:
        """Find a judge; its model is loaded, or its server called, at the first comparison.

        Raises: DataError or EngineError where there is no such judge, ConfigError for a wrong
        setting.
        """
        if samples < 1:
            raise ConfigError(f"samples: found {samples}; expected at least 1.")
        files = [Path(plugin) for plugin in plugins]
        found = find_judge(
            judge,
            files,
            iteration,
            OfModel(format, engine, base_url, api_key_env, options, chat_template_kwargs),
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
        self.format: JudgeFormat = judge_format.for_row(columns or {})
        """How it is asked and read."""
        self._engine = open_engine(found.model, found.place, manager)
        self._asker = Asker(_requests(found, self.format, samples), samples, likelihoods)
        self._lock = Lock()
        self._batcher = Batcher(self.compare_many)

    def load(self) -> None:
        """Load the model now rather than at the first comparison.

        Raises: EngineError where that is not possible.
        """
        with self._lock:
            started(self._engine)

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

    def _compare(self, pairs: Sequence[Texts]) -> list[Comparison]:
        if not pairs:
            return []
        shown = [(p, *answers) for p, a, b in pairs for answers in ((a, b), (b, a))]
        with self._lock:
            asked = self._asker.ask(self._engine, shown)
            return [
                self._read(first, second)
                for first, second in zip(asked[::2], asked[1::2], strict=True)
            ]

    def _rank(
        self, prompt: Prompt, answers: Sequence[str], budget: int | None, *, only_first: bool
    ) -> Ranking:
        answers = checked_answers(answers, budget)
        different, text = different_texts(answers), prompt_text(prompt)
        if problem := problem_of(text, answers[0], answers[0]):
            raise DataError(problem)

        def compare(pairs: Sequence[tuple[int, int]]) -> list[Comparison]:
            return self.compare_many([(text, different[a], different[b]) for a, b in pairs])

        if self.format.pointwise:
            return rank_by_rating(self._rate(text, different)).of_all(different, answers)
        ranking = rank_by_comparing(len(different), compare, budget, only_first=only_first)
        return ranking.of_all(different, answers)

    def _rate(self, prompt: str, answers: Sequence[str]) -> list[Spread]:
        """Return what is said of each answer: score → how likely it is."""
        with self._lock:
            asked = self._asker.ask(self._engine, [(prompt, each, each) for each in answers])
        prompts = [(samples, list(map(self._asker.reply, samples))) for samples in asked]
        return read_spreads(self.format, prompts)[0]

    def _read(self, *prompts: Sequence[Sample]) -> Comparison:
        unfit = next((s for samples in prompts for s in samples if s.is_too_long), None)
        if unfit is not None:
            return unable(self._asker.too_long(self._engine, unfit))
        first, second = [(s, list(map(self._asker.reply, s))) for s in prompts]
        return read_comparison(self.format, first, second)


def _without_problem(name: str, comparison: Comparison) -> Comparison:
    """Return a comparison. Raises: DataError where it could not be made."""
    if comparison.problem:
        raise DataError(f"{name}: {comparison.problem}")
    return comparison


def _requests(found: FoundJudge, judge_format: JudgeFormat, samples: int) -> JudgeRequests:
    """Return what makes the requests: for one sample greedily, for several as training samples."""
    identity = model_identity(found.model, found.place.base)
    make = JudgeRequests.greedy if samples == 1 else JudgeRequests.of_config
    return make(identity, judge_format, found.judging)


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
