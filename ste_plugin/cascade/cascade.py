"""A cascade in use: the cheapest stage that may answer does, and behind the last one is silence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ste_plugin.cascade.outcome import Setting, StageName, decision_entropy, is_settled
from ste_plugin.cascade.settings import is_cascade, read_fitted, refuse_others
from ste_plugin.cascade.stages import (
    Stages,
    asked_as,
    formats_of,
    open_stages,
    require_likelihoods,
)
from ste_plugin.errors import ConfigError
from ste_plugin.judge import Comparison, Judge, PairwiseJudge
from ste_plugin.judge.texts import Texts


class Cascade(PairwiseJudge):
    """A decision where it is sure enough, else a reasoned judgment, else a vote, else silence.

    `path`: what `ste cascade fit` wrote; its promise is in `fitted.promise`. It does all that a
    `Judge` does. A comparison's `stage` is the stage that answered, or the last one asked; its
    `tokens` are those of all stages asked. Where it abstains, there is no probability either.

    >>> with Cascade("cascade.json") as judge:  # doctest: +SKIP
    ...     judge.compare("Name a fruit.", "An apple.", "A spade.").stage
    'decision'
    """

    def __init__(self, path: str | Path, *, plugins: Sequence[str | Path] = ()) -> None:
        """Find the judges; models are loaded, or servers called, at the first comparison.

        Raises: ConfigError where the file is none, was not fitted, or was fitted for other judges;
        DataError or EngineError where one of these is not there.
        """
        settings, self.fitted = read_fitted(Path(path))
        self._stages = open_stages(settings, plugins, self.fitted.setting.depth)
        refuse_others(str(path), self.fitted, asked_as(self._stages))
        names = [judge.name for name, judge in self._stages.items() if name != "vote"]
        last = list(self._stages.values())[-1]
        formats = formats_of(self._stages)
        super().__init__(f"{path}: {', then '.join(names)}", last.format, {}, formats)

    @property
    def about(self) -> dict[str, Any]:
        """What it promises, and in which format each stage is asked."""
        formats = {name: judge.format.version for name, judge in self._stages.items()}
        return {"promise": self.fitted.promise, "stages": formats}

    def load(self) -> None:
        """Load all models now rather than at the first comparison.

        Raises: EngineError where that is not possible.
        """
        for judge in self._stages.values():
            judge.load()

    def close(self) -> None:
        """Free the models' memory and connections; a later comparison opens them again."""
        for judge in self._stages.values():
            judge.close()

    def compare_texts(self, pairs: Sequence[Texts]) -> list[Comparison]:
        """Return a comparison per pair of texts that were read already, and differ.

        Raises: EngineError where a model or server cannot answer; ConfigError where the first
        judge's engine tells no likelihoods, for which the threshold is.
        """
        require_likelihoods(self._stages["decision"])
        return ask_stages(self._stages, self.fitted.setting, pairs)

    def _stop(self, thread: int) -> None:
        for judge in self._stages.values():
            judge._stop(thread)


def ask_stages(stages: Stages, setting: Setting, pairs: Sequence[Texts]) -> list[Comparison]:
    """Return a comparison per pair, by the first stage that may answer it."""
    found: dict[int, Comparison] = {}
    due = list(range(len(pairs)))
    for name, judge in stages.items():
        if not due:
            break
        for i, said in zip(due, judge.compare_texts([pairs[i] for i in due]), strict=True):
            spent = found[i].tokens.plus(said.tokens) if i in found else said.tokens
            found[i] = replace(said, stage=name, tokens=spent)
        due = [i for i in due if not answers(name, found[i], setting)]
    return [silent(found[i]) if i in set(due) else found[i] for i in range(len(pairs))]


def answers(name: StageName, said: Comparison, setting: Setting) -> bool:
    """Return whether what a stage said is the answer."""
    if name == "decision":
        return is_settled(decision_entropy(said), setting.threshold)
    return said.verdict is not None


def silent(said: Comparison) -> Comparison:
    """Return the abstention of a cascade whose last stage said this."""
    why = said.abstained or ("" if said.problem else "unsure")
    return replace(said, verdict=None, probability=None, abstained=why)


def open_judge(judge: str | Path, **settings: Any) -> PairwiseJudge:
    """Return the cascade of a file, or the judge of that name with `Judge`'s settings.

    Raises: ConfigError for settings beside a cascade, whose file says them; else as these do.
    """
    if not is_cascade(Path(judge)):
        return Judge(judge, **settings)
    _refuse_settings(judge, settings)
    return Cascade(judge, plugins=settings.get("plugins", ()))


def _refuse_settings(judge: str | Path, settings: Mapping[str, Any]) -> None:
    own = {"plugins": settings.get("plugins"), "samples": 1, "likelihoods": True}
    given = [
        name
        for name, value in settings.items()
        if value not in (None, {}, (), []) and value != own.get(name)
    ]
    if given:
        raise ConfigError(
            f"{judge}: a cascade says by itself how its judges are asked; found "
            f"{', '.join(given)} as well. Leave them out, or change them in that file and fit it "
            "again."
        )
