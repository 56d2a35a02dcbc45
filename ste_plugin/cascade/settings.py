"""The file of a cascade: its judges, and what was fitted for exactly them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ste_plugin.cascade.outcome import STAGES, Setting, StageName
from ste_plugin.config.base import Positive, Strict
from ste_plugin.errors import ConfigError
from ste_plugin.judge import Judge
from ste_plugin.judge.judge import AskedAs
from ste_plugin.storage.config_file import refuse_secrets
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.text import safe_yaml
from ste_plugin.text.settings_errors import validate_settings

LabelsBy = Literal["people", "construction"]
Ties = Literal["left out", "wrong"]
_HINT = "`ste cascade fit` writes one"


class StageJudge(Strict):
    """A judge, as `ste_plugin.Judge` takes it."""

    judge: Annotated[str, Field(min_length=1)]
    """A run, or a model's folder, hub id or name on a server."""
    format: str | None = None
    iteration: int | None = None
    engine: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    options: dict[str, Any] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    force_verdict: bool | None = None
    max_new_tokens: int | None = None

    def open(self, plugins: Sequence[str | Path] = ()) -> Judge:
        """Return the judge. Raises: as `ste_plugin.Judge` does."""
        return Judge(plugins=plugins, **self.model_dump())


class Fitted(Strict):
    """What labels said, and for which judges that holds."""

    error: float
    """Of the pairs that are answered, at most this share is answered wrong."""
    confidence: float
    """The chance that the promise holds, over the draw of the labelled prompts."""
    promise: str
    """The same in words, with what it does not say."""
    labels_by: LabelsBy
    deepest: StageName
    """The last stage that is asked."""
    threshold: float
    """Most entropy of a decision that is believed, in bits."""
    pairs: Positive
    """Labelled pairs that were asked about."""
    tied: int
    """Of these, with a label that prefers neither answer."""
    ties: Ties
    """Whether such pairs were left out, or count as wrong where they are answered."""
    prompts: Positive
    """Of each, one pair was tested."""
    answered: Positive
    wrong: int
    bound: float
    """The upper bound of the error that the test found."""
    asked_as: dict[StageName, dict[str, Any]]
    """What the verdicts of each stage depend on."""
    curve: list[dict[str, Any]]

    @property
    def setting(self) -> Setting:
        """How far the cascade goes, and when its decision is believed."""
        return Setting(self.deepest, self.threshold)


class CascadeSettings(Strict):
    """The judges of a cascade, and how many votes are drawn."""

    decision: StageJudge
    """Asked first; it must tell probabilities."""
    reasoning: StageJudge | None = None
    """Asked where the decision is not believed."""
    votes: Annotated[int, Field(ge=0)] = 7
    """Samples per order where the reasoning judge disagrees with itself; 0: no vote."""
    fitted: Fitted | None = None

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages that there are, in the order of being asked."""
        if self.reasoning is None:
            return STAGES[:1]
        return STAGES if self.votes > 1 else STAGES[:2]


def is_cascade(path: Path) -> bool:
    """Return whether a path is the file of a cascade: JSON or YAML that names its first stage."""
    if not path.is_file() or path.suffix not in (".json", ".yaml", ".yml"):
        return False
    try:
        return "decision" in safe_yaml.read(path, _HINT)
    except ConfigError:
        return False


def read_cascade(path: Path) -> CascadeSettings:
    """Return the settings in a file of JSON or YAML.

    Raises: ConfigError naming the file and key of what is missing, unknown or out of range.
    """
    raw = safe_yaml.read(path, _HINT)
    refuse_secrets({k: v for k, v in raw.items() if k != "fitted"}, str(path))
    return validate_settings(CascadeSettings, raw, str(path))


def read_fitted(path: Path) -> tuple[CascadeSettings, Fitted]:
    """Return the settings of a file that was fitted. Raises: ConfigError, also where it was not."""
    settings = read_cascade(path)
    if settings.fitted is None:
        raise ConfigError(
            f"{path}: no threshold in it yet (`fitted` is missing), so that nobody knows when its "
            f"decisions can be believed. Fit it: ste cascade fit {path} --labels people.jsonl "
            "--error 0.10"
        )
    return settings, settings.fitted


def write_cascade(path: Path, settings: CascadeSettings) -> None:
    """Write the file."""
    replace_json(path, settings.model_dump(exclude_none=True))


def refuse_others(where: str, fitted: Fitted, asked_as: Mapping[StageName, AskedAs]) -> None:
    """Raise ConfigError where a judge is another one than the threshold was fitted for."""
    for name, known in fitted.asked_as.items():
        if name not in asked_as:
            raise ConfigError(
                f"{where}: fitted with the stage {name!r}, which its settings do not have any "
                "more. Put it back, or fit it again: `ste cascade fit`."
            )
        for key, now in asked_as[name]._asdict().items():
            if known.get(key) != now:
                raise ConfigError(
                    f"{where}: its threshold was fitted for another {_SAID[key]} of the stage "
                    f"{name!r}: found {now!r}; expected {known.get(key)!r}. The promise does not "
                    "hold for this one. Name the one it was fitted for, or fit it again: `ste "
                    "cascade fit`."
                )


_SAID = {
    "model": "model",
    "format": "format",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_new_tokens": "max_new_tokens",
    "force_verdict": "force_verdict",
    "samples": "number of votes",
    "calibration": "temperature of its probabilities (ste_calibration.json)",
}
"""A field of `AskedAs` → what it is called."""
