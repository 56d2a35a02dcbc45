"""A policy's checkpoint: a model's folder or a name at a server, looked over before it is asked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ste_plugin.config import ModelConfig, RunConfig
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.model_folder import explain_unloadable
from ste_plugin.engines.nested import answering_model, with_trained_weights
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.text.settings_errors import validate_settings

_CURES = {
    "such folder": (
        "Set base_model_name_or_path in its adapter_config.json to where the adapted model lies."
    ),
    "config.json": "Save the whole policy there: trainer.save_model(FOLDER).",
    "tokenizer": (
        "Copy the tokenizer's files (tokenizer.json, tokenizer_config.json, chat_template.jinja) "
        "there from the model that the training began with, or give it to the trainer "
        "(processing_class) so that checkpoints have it."
    ),
    "weights": (
        "Shards of a training on several GPUs have to be put together first: `axolotl "
        "merge-sharded-fsdp-weights` of FSDP, zero_to_fp32.py of DeepSpeed. Where the training "
        "still writes there, wait until it has."
    ),
}
_CURE = "Where the training still writes there, wait until it has; else save the checkpoint again."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A policy as it is now."""

    name: str
    """The folder, or the name at a server."""
    model: ModelConfig
    """As a run names its generator."""
    identity: str
    """Changes with the weights of a folder; a server's model goes by its name alone."""
    folder: Path | None = None
    """None for a name at a server, and for one that was followed and is gone."""

    def require_unchanged(self) -> None:
        """Raise DataError where the folder's weights or settings are others than they were.

        One that is gone is not: trainings remove checkpoints, and it has answered.
        """
        folder = self.folder
        if folder and folder.is_dir() and _identity(folder) != self.identity:
            raise DataError(
                f"{folder}: changed while its answers were written, so that these may be of "
                "two policies. Does the training still write there? Copy the checkpoint to a "
                "folder of its own and follow that."
            )


def find_checkpoint(
    name: str,
    config: RunConfig,
    base: Path,
    server: Mapping[str, Any],
    options: Mapping[str, Any],
    known: Mapping[str, str],
) -> Checkpoint:
    """Return the checkpoint that a name stands for.

    `known`: folders that were followed → their identity; these may be gone.

    A folder is loaded by the engine of the run's generator or judge; a name is asked of the
    `server` (base_url, api_key_env), else of the one that the run's generator is at.
    Raises: ConfigError for a name of neither, DataError for a folder that holds no whole model.
    """
    if not name.strip():
        raise ConfigError("CHECKPOINT: found nothing; expected a folder, or a name at a server.")
    asked, folder = config.generator or config.judge, Path(name).expanduser()
    if server:
        return _at_server(name, asked, "http", {**server, **options})
    resolved = folder.resolve()
    if folder.is_dir():
        model = _loaded(resolved, config, base, options)
        return Checkpoint(str(resolved), model, _identity(resolved), resolved)
    if str(resolved) in known:
        model = _named(resolved, config, base, options)
        return Checkpoint(str(resolved), model, known[str(resolved)])
    if answering_model(asked).engine != "http" or _is_path(name):
        raise ConfigError(
            f"{name}: no such folder. Expected a checkpoint's folder, or, with --base-url, the "
            "name of a model at an OpenAI-compatible server."
        )
    return _at_server(name, asked, asked.engine, asked.options | dict(options))


def _is_path(name: str) -> bool:
    return name.startswith((".", "/", "~"))


def _at_server(
    name: str, asked: ModelConfig, engine: str, options: Mapping[str, Any]
) -> Checkpoint:
    settings = asked.model_dump() | {"model": name, "engine": engine, "options": options}
    model = validate_settings(ModelConfig, settings, "CHECKPOINT")
    return Checkpoint(name, model, f"served:{name}")


def _loaded(folder: Path, config: RunConfig, base: Path, options: Mapping[str, Any]) -> ModelConfig:
    """Return a folder's model. Raises: DataError where it is no whole one."""
    if problem := explain_unloadable(str(folder)):
        raise DataError(f"{folder}: no policy to follow: {problem}. {_cure(folder, problem)}")
    return _named(folder, config, base, options)


def _named(folder: Path, config: RunConfig, base: Path, options: Mapping[str, Any]) -> ModelConfig:
    """Return a folder's model, as a run names its generator."""
    asked = config.generator or config.judge
    loaded = asked if answering_model(asked).engine != "http" else config.judge
    model = with_trained_weights(loaded, relative_to(base, folder))
    told = {n: getattr(asked, n) for n in ("chat_template_kwargs", "thinking")}
    return model.model_copy(update=told | {"options": model.options | dict(options)})


def _identity(folder: Path) -> str:
    return f"folder:{fingerprint(folder)}"


def relative_to(base: Path, folder: Path) -> str:
    """Return a folder as a config names it: from the config's own, where it lies below that."""
    base = base.resolve()
    return str(folder.relative_to(base) if folder.is_relative_to(base) else folder)


def _cure(folder: Path, problem: str) -> str:
    inside = [p.name for p in folder.iterdir() if p.is_dir() and (p / "config.json").is_file()]
    inside.sort(key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
    if inside:
        return f"There are models in {', '.join(inside[-3:])}: name one of them."
    return next((cure for word, cure in _CURES.items() if f"no {word}" in problem), _CURE)
