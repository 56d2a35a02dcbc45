"""Which judge is meant: that of a run, as the run asks it, or a model by its folder or name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ste_plugin.config import JudgingConfig, ModelConfig, RunConfig
from ste_plugin.engines.base import Place
from ste_plugin.engines.identity import model_identity, model_path
from ste_plugin.engines.model_folder import require_loadable
from ste_plugin.engines.nested import revision_of
from ste_plugin.engines.registry import LOADING
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.evaluation.shipped import number_in_words
from ste_plugin.evaluation.trained_judges import judge_of, require_own_weights
from ste_plugin.forget.find_run import read_run
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.published import preset_settings
from ste_plugin.plugins.manager import require_named_plugins
from ste_plugin.storage.jsonl import read_json
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.text.settings_errors import validate_settings

DEFAULT_FORMAT = JudgingConfig().format
"""Of a model that belongs to no run."""


@dataclass(frozen=True, slots=True)
class FoundJudge:
    """A judge, and how it is asked."""

    name: str
    """In words, for people."""
    model: ModelConfig
    judging: JudgingConfig
    place: Place
    format_setting: str
    """What errors call the setting that names the format."""


@dataclass(frozen=True, slots=True)
class OfModel:
    """What is said of a model that belongs to no run; a run says all of it itself."""

    format: str | None
    engine: str | None
    base_url: str | None
    api_key_env: str | None
    options: Mapping[str, Any] | None
    chat_template_kwargs: Mapping[str, Any] | None

    @property
    def revision(self) -> str:
        """The revision of a hub id's files."""
        options = dict(self.options or {})
        return revision_of(ModelConfig(model="", engine=self.engine or "auto", options=options))


def find_judge(
    judge: str | Path,
    plugins: Sequence[Path],
    iteration: int | None,
    of_model: OfModel,
    judging: Mapping[str, Any],
) -> FoundJudge:
    """Return the judge of a run, or a model; `judging` are settings that stand in for a run's.

    Raises: DataError or EngineError where there is none, ConfigError where its settings are wrong;
    PluginError for a plugin that the run lists and `plugins` does not name.
    """
    if not isinstance(judge, str | Path) or not str(judge).strip():
        raise ConfigError(
            f"judge: found {judge!r}; expected a run's folder or config, a model's folder or hub "
            "id, or a model's name on a server."
        )
    given = {name: value for name, value in judging.items() if value is not None}
    if is_run(Path(judge)):
        if own := [f.name for f in fields(of_model) if getattr(of_model, f.name) is not None]:
            raise ConfigError(
                f"{judge}: a run says by itself how its judge is asked; found {', '.join(own)} as "
                "well. Leave them out, or give the model's folder instead of the run's."
            )
        found = _judge_of_run(Path(judge), iteration, plugins)
    elif iteration is not None:
        raise ConfigError(f"iteration: {judge} is no run, so it has none. Leave iteration out.")
    else:
        found = _judge_of_model(str(judge), of_model)
    settings = found.judging.model_dump() | given
    return replace(found, judging=validate_settings(JudgingConfig, settings, "judge"))


def _judge_of_model(name: str, given: OfModel) -> FoundJudge:
    """Return a judge that belongs to no run; what its folder says of it counts unless told.

    Raises: EngineError where nothing is there to load.
    """
    if not isinstance(given.options or {}, Mapping):
        raise ConfigError(f"options: found {given.options!r}; expected settings of the engine.")
    preset = preset_settings(name, None, given.revision)
    engine = given.engine or ("http" if given.base_url else "auto")
    server = {"base_url": given.base_url, "api_key_env": given.api_key_env}
    settings = {
        "model": name,
        "engine": engine,
        "options": {k: v for k, v in server.items() if v is not None} | dict(given.options or {}),
        "chat_template_kwargs": given.chat_template_kwargs
        or preset.get("chat_template_kwargs", {}),
        "thinking": preset.get("thinking"),
    }
    model = validate_settings(ModelConfig, settings, "judge")
    if Path(name).is_file():
        raise ConfigError(
            f"judge: {name} is a file; expected a run's folder or config (.yaml), or a model's "
            "folder. What `ste cascade fit` wrote is opened by ste_plugin.Cascade."
        )
    if engine in LOADING:  # said at once, not when the first comparison is wanted
        require_loadable(model_path(model, Path.cwd()))
    own = preset.get("format", DEFAULT_FORMAT)
    asked_as_trained = given.format in (None, own)  # another format has a length of its own
    judging = {
        "format": given.format or own,
        "force_verdict": preset.get("force", False),
        "max_new_tokens": preset.get("max_new_tokens") if asked_as_trained else None,
    }
    checked = validate_settings(JudgingConfig, judging, "judge")
    return FoundJudge(name, model, checked, Place(Path.cwd(), Path.cwd()), "format")


def is_run(path: Path) -> bool:
    """Return whether a path is a run: its folder, one of its iterations', or its config."""
    return (path / "run.yaml").is_file() or _iteration_of(path) is not None or _is_config(path)


def _is_config(path: Path) -> bool:
    return path.is_file() and path.suffix in (".yaml", ".yml")


def _iteration_of(path: Path) -> int | None:
    """Return the number of an iteration's folder, or None where it is none."""
    number = path.name.removeprefix("iter-")
    is_one = number != path.name and number.isdecimal()
    return int(number) if is_one and (path.parent / "run.yaml").is_file() else None


def _judge_of_run(path: Path, iteration: int | None, plugins: Sequence[Path]) -> FoundJudge:
    """Return the judge that a run ships, or that of an iteration; 0 is the seed.

    Raises: DataError where there is none; ConfigError where its engine asks a server that serves
    the seed; PluginError for a plugin that the run lists and `plugins` does not name.
    """
    if (number := _iteration_of(path)) is not None:
        path, iteration = path.parent, number if iteration is None else iteration
    config, base = read_run(path)
    listed = [base / each for each in config.plugins]
    require_named_plugins(listed, plugins, str(path), "plugins=['{}']")
    folder = RunLayout(base / config.run)
    chosen = _shipped(config, base) if iteration is None else iteration
    model = judge_of(config, base, chosen)
    require_own_weights(model, chosen)
    place = Place(base, Path.cwd(), config.hosts.serve)
    name = f"{folder.root}: {number_in_words(folder.root, chosen)}"
    longest = config.evaluation.max_new_tokens or config.judging.max_new_tokens
    judging = config.judging.model_copy(update={"max_new_tokens": longest})  # as it is measured
    return FoundJudge(name, model, judging, place, "judging.format")


def _shipped(config: RunConfig, base: Path) -> int:
    folder = RunLayout(base / config.run)
    if folder.report.is_file():
        return int(read_json(folder.report)["best"])
    there = _trained(config, base)
    cure = (
        f"Name one that is trained already: iteration={there[-1]}; or finish the run: `ste run`."
        if there
        else "Finish the run: `ste run`. Its seed is iteration=0."
    )
    raise DataError(
        f"{folder.root}: no judge to ship yet, as the run is not finished (no report.json). {cure}"
    )


def _trained(config: RunConfig, base: Path) -> list[int]:
    numbers = range(1, config.iterations + 1)
    return [n for n in numbers if _find(config, base, n) is not None]


def _find(config: RunConfig, base: Path, number: int) -> ModelConfig | None:
    try:
        return judge_of(config, base, number)
    except DataError:
        return None


def requests_to(found: FoundJudge, judge_format: JudgeFormat, samples: int) -> JudgeRequests:
    """Return what makes the requests: for one sample greedily, for several as training samples."""
    identity = model_identity(found.model, found.place.base)
    make = JudgeRequests.greedy if samples == 1 else JudgeRequests.of_config
    return make(identity, judge_format, found.judging)
