"""The settings of a reward, which hosts leave no room for: environment variables `STE_REWARD_…`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ste_plugin.cascade import open_judge
from ste_plugin.errors import ConfigError, did_you_mean
from ste_plugin.integrations.scoring import OPPONENTS, By
from ste_plugin.judge import PairwiseJudge
from ste_plugin.text.settings_errors import validate_settings

PREFIX = "STE_REWARD_"


def _parsed(value: Any) -> Any:
    """Return what a text says as JSON, or the text itself, for its error to quote."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _paths(value: Any) -> Any:
    return [p for p in value.split(os.pathsep) if p] if isinstance(value, str) else value


JsonObject = Annotated[dict[str, Any], BeforeValidator(_parsed)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_paths)]


class RewardSettings(BaseModel):
    """Which judge rewards, and how; each setting is `STE_REWARD_` and its name in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judge: str = Field(min_length=1)
    """A run's folder or config, a cascade's file, a model's folder or hub id, or its name on a
    server."""
    base_url: str | None = None
    """Where it is served, as `http://judge:8000/v1`; without, each process loads it."""
    api_key_env: str | None = None
    """The environment variable with the server's key."""
    engine: str | None = None
    options: JsonObject | None = None
    """The engine's, as JSON."""
    format: str | None = None
    """Of a model that belongs to no run."""
    max_new_tokens: int | None = None
    plugins: Paths = ()
    """Files of hooks, parted as in PATH."""
    opponents: int = Field(default=OPPONENTS, ge=1)
    """How many others of its group a completion is compared with."""
    by: By = "verdict"
    """`verdict`: comparisons won in both orders; `probability`: the judge's chance of winning."""
    reference: str | None = None
    """The data set's column with an answer to compare with, instead of the group."""

    def open_judge(self) -> PairwiseJudge:
        """Return the judge. Raises: ConfigError or DataError where there is none."""
        return open_judge(
            self.judge,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            engine=self.engine,
            options=self.options,
            format=self.format,
            max_new_tokens=self.max_new_tokens,
            plugins=self.plugins,
        )


def settings_of_environment(environment: Mapping[str, str] | None = None) -> RewardSettings:
    """Return the settings; an empty variable is not set.

    Raises: ConfigError where the judge is missing, a variable is unknown or its value wrong.
    """
    environment = os.environ if environment is None else environment
    known = {f"{PREFIX}{name.upper()}": name for name in RewardSettings.model_fields}
    given = {n: v for n, v in environment.items() if n.startswith(PREFIX) and v.strip()}
    for name in given:
        if name not in known:
            raise ConfigError(
                f"{name}: unknown environment variable.{did_you_mean(name, known)} "
                f"Known: {', '.join(known)}."
            )
    if f"{PREFIX}JUDGE" not in given:
        raise ConfigError(
            f"{PREFIX}JUDGE is not set; expected the judge that rewards: a run's folder, a model's "
            f"folder, or with {PREFIX}BASE_URL a model's name on a server."
        )
    settings = {known[name]: value.strip() for name, value in given.items()}
    return validate_settings(RewardSettings, settings, f"environment variables {PREFIX}…")
