"""A judge in Python: which of two answers is better, in both orders, as training asks."""

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ste_plugin.context import open_engine
from ste_plugin.engines.choice_likelihoods import started
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import ConfigError
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judge.asking import Asker, Sample, Texts
from ste_plugin.judge.comparison import Comparison, unable
from ste_plugin.judge.pairwise import PairwiseJudge
from ste_plugin.judge.probability import Spread
from ste_plugin.judge.ranking import Ranking
from ste_plugin.judge.rated import rank_by_rating
from ste_plugin.judge.reading import read_comparison, read_spreads
from ste_plugin.judge.which import FoundJudge, OfModel, find_judge
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.published import check_published
from ste_plugin.plugins.judge_formats import find_judge_format
from ste_plugin.plugins.manager import plugin_manager


class AskedAs(NamedTuple):
    """What a judge's verdicts depend on; another value of any field is another judge."""

    model: str
    """The identity of its weights: a folder's fingerprint, or name@revision."""
    format: str
    """Name and version."""
    temperature: float
    top_p: float
    max_new_tokens: int
    force_verdict: bool
    samples: int


class Judge(PairwiseJudge):
    """A trained judge, or any model that judges; safe to use from several threads.

    `judge`: a run's folder or config, for the judge that it ships (or that of `iteration`),
    asked as the run is configured; or a model's folder, hub id or name on a server. Of a model
    `format` is the judge format it is asked in (by default `criteria`), `engine` what runs it
    (by default `auto`, with `base_url` `http`), `options` and `chat_template_kwargs` as in a
    run's config; `api_key_env` names the environment variable with the server's key.

    `samples`: 1 is the likeliest reply; of more, drawn at the judge's temperature, the majority
    counts; with `early_stop` none is drawn that could not change it. `likelihoods`: look at those
    of the letters, where the engine can tell.
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
        early_stop: bool = False,
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
        super().__init__(found.name)
        manager = plugin_manager(files)
        words, setting = found.judging, found.format_setting
        judge_format = find_judge_format(
            manager, words.format, setting, found.place.base, words.rubric
        )
        check_published(found.model.model, words.format, judge_format)
        self.format: JudgeFormat = judge_format.for_row(columns or {})
        """How it is asked and read."""
        self._found = found
        self._engine = open_engine(found.model, found.place, manager)
        self._samples, self._requests = samples, _requests(found, self.format, samples)
        self._asker = Asker(self._requests, samples, likelihoods, early_stop=early_stop)
        self._lock = Lock()

    @property
    def asked_as(self) -> AskedAs:
        """What its verdicts depend on: weights, prompt, and how replies are drawn."""
        made = self._requests
        sampling = made.sampling
        return AskedAs(
            made.model,
            made.judge_format.version,
            sampling.temperature,
            sampling.top_p,
            sampling.max_new_tokens,
            made.force_verdict,
            self._samples,
        )

    def share_model(self, other: "Judge") -> bool:
        """Use the other judge's model, rather than load it again, where it is the same one."""
        known = (other._found.model, other._requests.model, other._found.place.base)
        if (self._found.model, self._requests.model, self._found.place.base) != known:
            return False
        self._engine, self._lock = other._engine, other._lock
        return True

    def voting(self, samples: int) -> "Judge":
        """Return the judge that takes the majority of samples, as few of them as settle it.

        It shares this one's model, and is closed with it.
        """
        votes = copy(self)
        PairwiseJudge.__init__(votes, self.name)
        votes._samples, votes._requests = samples, _requests(self._found, self.format, samples)
        votes._asker = Asker(votes._requests, samples, likelihoods=False, early_stop=True)
        return votes

    def load(self) -> None:
        """Load the model now rather than at the first comparison.

        Raises: EngineError where that is not possible.
        """
        with self._lock:
            started(self._engine)

    def close(self) -> None:
        """Free the model's memory and connections; a later comparison opens them again."""
        with self._lock:
            self._engine.close()

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

    def _rank_by_rating(self, prompt: str, answers: Sequence[str]) -> Ranking | None:
        return rank_by_rating(self._rate(prompt, answers)) if self.format.pointwise else None

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


def _requests(found: FoundJudge, judge_format: JudgeFormat, samples: int) -> JudgeRequests:
    """Return what makes the requests: for one sample greedily, for several as training samples."""
    identity = model_identity(found.model, found.place.base)
    make = JudgeRequests.greedy if samples == 1 else JudgeRequests.of_config
    return make(identity, judge_format, found.judging)
