"""The judges of a cascade, opened; those of one model share it."""

from collections.abc import Sequence
from pathlib import Path

from ste_plugin.cascade.outcome import StageName
from ste_plugin.cascade.settings import CascadeSettings
from ste_plugin.errors import ConfigError
from ste_plugin.judge import Judge
from ste_plugin.judge.judge import AskedAs
from ste_plugin.judging import JudgeFormat

Stages = dict[StageName, Judge]
"""In the order of being asked."""


def open_stages(
    settings: CascadeSettings, plugins: Sequence[str | Path] = (), depth: int | None = None
) -> Stages:
    """Return the judges of a cascade's stages, of the first `depth` where that is given.

    Raises: ConfigError, DataError or EngineError where one of them is not there.
    """
    names = settings.stages[:depth]
    stages: Stages = {"decision": settings.decision.open(plugins)}
    if settings.reasoning is not None and "reasoning" in names:
        stages["reasoning"] = settings.reasoning.open(plugins)
        _require_text(stages["reasoning"], settings.reasoning.engine)
        stages["reasoning"].share_model(stages["decision"])
    if "vote" in names:
        stages["vote"] = stages["reasoning"].voting(settings.votes)
    return stages


def _require_text(reasoning: Judge, engine: str | None) -> None:
    """Raise ConfigError where a judge is to write its reasons to what takes letters alone."""
    if engine == "decisions" and not reasoning.format.only_choices:
        raise ConfigError(
            f"reasoning: {reasoning.name} in format {reasoning.format.version} writes its reasons, "
            "and engine decisions writes no text. Judges that need different engines are named in "
            "a file (decision: {judge: …, engine: decisions, …}, reasoning: {judge: …, base_url: "
            "…}): ste cascade fit cascade.yaml."
        )


def require_likelihoods(judge: Judge) -> None:
    """Raise ConfigError where nothing would say how sure a decision of this judge is."""
    if not judge.tells_likelihoods():
        raise no_likelihoods(judge.name)


def no_likelihoods(name: str) -> ConfigError:
    """Return the error for a judge that cannot decide."""
    return ConfigError(
        f"decision: {name} tells no probabilities (its engine sees no likelihoods, or none in this "
        "format), so that nothing says how sure a decision is. Use one that does: engine: "
        "decisions or local."
    )


def formats_of(stages: Stages) -> list[JudgeFormat]:
    """Return the formats in which the stages are asked; a vote's is that of the reasoning."""
    return [judge.format for name, judge in stages.items() if name != "vote"]


def asked_as(stages: Stages) -> dict[StageName, AskedAs]:
    """Return what the verdicts of each stage depend on."""
    return {name: judge.asked_as for name, judge in stages.items()}
