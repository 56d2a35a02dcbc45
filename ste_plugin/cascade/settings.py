"""The file of a cascade: its judges, and what was fitted for exactly them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

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
_PARTS = frozenset({"decision", "reasoning", "votes", "fitted"})


class StageJudge(Strict):
    """A judge, as `ste_plugin.Judge` takes it."""

    judge: Annotated[str, Field(min_length=1)]
    """A run, or a model's folder, hub id or name on a server; paths are from the file's folder."""
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

    error: Annotated[float, Field(gt=0, lt=1)]
    """Of the pairs that are answered, at most this share is answered wrong."""
    confidence: Annotated[float, Field(gt=0, lt=1)]
    """The chance that the promise holds, over the draw of the labelled prompts."""
    promise: str
    """The same in words, with what it does not say."""
    labels_by: LabelsBy
    deepest: StageName
    """The last stage that is asked."""
    threshold: Annotated[float, Field(ge=0, le=1)]
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

    @field_validator("votes")
    @classmethod
    def _one_is_no_vote(cls, votes: int) -> int:
        if votes == 1:
            raise ValueError("one sample is no vote; expected 0 for none, or at least 2")
        return votes

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages that there are, in the order of being asked."""
        if self.reasoning is None:
            return STAGES[:1]
        return STAGES if self.votes else STAGES[:2]

    def with_judges(self, name_of: Callable[[str], str]) -> "CascadeSettings":
        """Return the same with other names of its judges."""
        judges = {"decision": self.decision, "reasoning": self.reasoning}
        return self.model_copy(
            update={
                stage: judge.model_copy(update={"judge": name_of(judge.judge)})
                for stage, judge in judges.items()
                if judge is not None
            }
        )


def is_cascade(path: Path) -> bool:
    """Return whether a path can only be the file of a cascade: JSON, or YAML with a part of one.

    Nothing else that judges is a file of JSON, so that what is wrong with one can be said.
    """
    if path.suffix == ".json":
        return not path.is_dir()
    if not path.is_file() or path.suffix not in (".yaml", ".yml"):
        return False
    try:
        found = safe_yaml.read(path, _HINT)
    except ConfigError:
        return False
    return "run" not in found and not _PARTS.isdisjoint(found)


def read_cascade(path: Path) -> CascadeSettings:
    """Return the settings in a file of JSON or YAML; paths in it are from its folder.

    Raises: ConfigError naming the file and key of what is missing, unknown or out of range.
    """
    raw = safe_yaml.read(path, _HINT)
    refuse_secrets({k: v for k, v in raw.items() if k != "fitted"}, str(path))
    found = validate_settings(CascadeSettings, raw, str(path))
    return found.with_judges(lambda name: _there(path.parent / name, name))


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


def require_writable(path: Path) -> None:
    """Raise ConfigError where what was fitted cannot be written, not be found again, or would make
    another judge of the one that it is for: a fingerprint is of all files of a model's folder."""
    if path.suffix != ".json" or path.is_dir() or not path.resolve().parent.is_dir():
        raise ConfigError(
            f"--out: found {path}; expected a file that ends in .json, in a folder that is there."
        )
    for folder in path.resolve().parents:
        if (folder / "config.json").is_file():
            raise ConfigError(
                f"--out: found {path}, in the folder of a model, {_shown(folder, path)}; expected "
                "a place beside it: a file more in there makes another model of it, for which "
                f"nothing was fitted. Write it elsewhere: --out {path.name}."
            )


def _shown(folder: Path, path: Path) -> str:
    """Return a folder around a path as that path writes it, where it does."""
    return next((str(p) for p in path.parents if p.resolve() == folder), str(folder))


def write_cascade(path: Path, settings: CascadeSettings) -> None:
    """Write the file, with paths from its folder."""

    def from_there(name: str) -> str:
        is_path = Path(name).exists() and not Path(name).is_absolute()
        return os.path.relpath(name, path.parent) if is_path else name

    replace_json(path, settings.with_judges(from_there).model_dump(exclude_none=True))


def _there(path: Path, name: str) -> str:
    """Return the path where something is there; else it is a hub id, or a name on a server."""
    return str(path) if path.exists() else name


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
                    "hold for this one. Name the one it was fitted for (a path is from this file's "
                    "folder), or fit it again: `ste cascade fit`."
                )
    depth = fitted.setting.depth
    if missing := [name for name in STAGES[:depth] if name not in fitted.asked_as]:
        raise ConfigError(
            f"{where}: fitted.asked_as does not say what the stage {missing[0]!r} was fitted for, "
            "so that nothing is promised. Fit it again: `ste cascade fit`."
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
