"""The judges of a cascade, opened; those of one model share it."""

from collections.abc import Sequence
from pathlib import Path

from ste_plugin.cascade.outcome import StageName
from ste_plugin.cascade.settings import CascadeSettings
from ste_plugin.judge import Judge
from ste_plugin.judge.judge import AskedAs

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
        stages["reasoning"].share_model(stages["decision"])
    if "vote" in names:
        stages["vote"] = stages["reasoning"].voting(settings.votes)
    return stages


def asked_as(stages: Stages) -> dict[StageName, AskedAs]:
    """Return what the verdicts of each stage depend on."""
    return {name: judge.asked_as for name, judge in stages.items()}
