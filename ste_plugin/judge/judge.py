"""A judge in Python: which of two answers is better, in both orders, as training asks."""

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

from ste_plugin.context import open_engine
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.nested import revision_of
from ste_plugin.errors import ConfigError
from ste_plugin.judge.asking import Asker, Sample
from ste_plugin.judge.comparison import Comparison, unable
from ste_plugin.judge.one_model import OneModel
from ste_plugin.judge.pairwise import PairwiseJudge
from ste_plugin.judge.ranking import Ranking
from ste_plugin.judge.rated import rank_by_rating
from ste_plugin.judge.reading import read_comparison, read_spreads
from ste_plugin.judge.texts import Texts, check_columns
from ste_plugin.judge.which import OfModel, find_judge, requests_to
from ste_plugin.judging.calibration import temperature_in, temperature_of
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
    calibration: float = 1.0
    """What its log-odds are divided by."""


class Judge(PairwiseJudge):
    """A trained judge, or any model that judges; safe to use from several threads.

    `judge`: a run's folder or config, for the judge that it ships (or that of `iteration`),
    asked as the run is configured; or a model's folder, hub id or name on a server. Of a model
    `format` is the judge format it is asked in (by default that in which its folder says it was
    published or calibrated, else `criteria`), `engine` what runs it (by default `auto`, with
    `base_url` `http`), `options` and `chat_template_kwargs` as in a run's config; `api_key_env`
    names the environment variable with the server's key.

    `samples`: 1 is the likeliest reply; of more, drawn at the judge's temperature, the majority
    counts; with `early_stop` none is drawn that could not change it; a letter alone, whose
    likelihoods are told, needs one. `likelihoods`: look at those of the letters, where the engine
    can tell.
    `calibration`: a file of `ste calibrate`, in place of that in the judge's folder.
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
        early_stop: bool = False,
        force_verdict: bool | None = None,
        max_new_tokens: int | None = None,
        engine: str | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        options: Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
        calibration: str | Path | None = None,
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
        manager = plugin_manager(files)
        words, setting = found.judging, found.format_setting
        judge_format = find_judge_format(
            manager, words.format, setting, found.place.base, words.rubric
        )
        revision = revision_of(found.model)
        check_published(found.model.model, words.format, judge_format, revision)
        check_columns([judge_format], columns or {})
        self._found, self._samples = found, samples
        self._model = OneModel(open_engine(found.model, found.place, manager))
        self._requests = requests_to(found, judge_format, samples)
        self.temperature = (
            temperature_in(Path(calibration), self._requests.model, judge_format.version)
            if calibration
            else temperature_of(
                model_path(found.model, found.place.base), judge_format.version, revision
            )
        )
        """What the log-odds of its letters are divided by: 1 where it was not calibrated."""
        self._asker = Asker(self._requests, samples, likelihoods, early_stop=early_stop)
        # last: whatever forks from here on begins every known judge anew, which needs it whole
        super().__init__(found.name, judge_format, columns or {})

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
            self.temperature,
        )

    def share_model(self, other: "Judge") -> bool:
        """Use the other judge's model, rather than load it again, where it is the same one."""
        if self._found.model != other._found.model:
            return False
        self._model = other._model
        return True

    def voting(self, samples: int) -> "Judge":
        """Return the judge that takes the majority of samples, as few of them as settle it.

        It shares this one's model, and is closed with it.
        """
        votes = copy(self)
        PairwiseJudge.__init__(votes, self.name, self.format, self._columns)
        votes._samples, votes._requests = samples, requests_to(self._found, self.format, samples)
        votes._asker = Asker(votes._requests, samples, likelihoods=False, early_stop=True)
        return votes

    def load(self) -> None:
        """Load the model now rather than at the first comparison.

        Raises: EngineError where that is not possible.
        """
        self._model.load()

    def tells_likelihoods(self) -> bool:
        """Return whether probabilities can be those of its letters; it loads the model.

        Raises: EngineError where that is not possible.
        """
        return bool(self.format.choices) and self._model.tells_likelihoods()

    def close(self) -> None:
        """Free the model's memory and connections; a later comparison opens them again."""
        self._model.close()

    def compare_texts(self, pairs: Sequence[Texts]) -> list[Comparison]:
        """Return a comparison per pair of texts that were read already, and differ.

        Raises: EngineError where the model or server cannot answer.
        """
        if not pairs:
            return []
        shown = [each for pair in pairs for each in (pair, pair.turned)]
        with self._model.asked(self._asker, shown) as asked:
            return [
                self._compared(first, second)
                for first, second in zip(asked[::2], asked[1::2], strict=True)
            ]

    def _stop(self, thread: int) -> None:
        self._model.stop(thread)

    def _renew(self) -> None:
        super()._renew()
        self._model.renew()

    def _rank_by_rating(self, answers: Sequence[Texts]) -> Ranking | None:
        if not self.format.pointwise:
            return None
        with self._model.asked(self._asker, answers) as asked:
            prompts = [(samples, list(map(self._asker.reply, samples))) for samples in asked]
        return rank_by_rating(read_spreads(self.format, prompts)[0])

    def _compared(self, *prompts: Sequence[Sample]) -> Comparison:
        unfit = next((s for samples in prompts for s in samples if s.is_too_long), None)
        if unfit is not None:
            return unable(self._asker.too_long(self._model.engine, unfit))
        first, second = [(s, list(map(self._asker.reply, s))) for s in prompts]
        return read_comparison(self.format, first, second, self.temperature)
