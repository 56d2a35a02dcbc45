"""Which judge an iteration of a run ended with."""

from pathlib import Path

from ste_plugin.config import ModelConfig, RunConfig
from ste_plugin.context import RunContext
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.nested import (
    ELSEWHERE,
    MAIN,
    answering_model,
    revision_of,
    with_trained_weights,
)
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.storage.training_manifest import find_trained_model


def stage_numbers(context: RunContext) -> range:
    """Return the stages of an iteration, from 1: one per recipe."""
    return range(1, len(context.config.training.recipe) + 1)


def find_judge(context: RunContext, number: int, stage: int | None = None) -> ModelConfig:
    """Return the judge that a stage of an iteration of an open run produced; see `judge_of`."""
    return judge_of(context.config, context.base, number, stage)


def judge_of(config: RunConfig, base: Path, number: int, stage: int | None = None) -> ModelConfig:
    """Return the judge that a stage of an iteration produced, by default its last stage.

    Iteration 0 is the seed judge. `base`: the folder that the config's relative paths start from.
    Raises: DataError where that stage has not been trained.
    """
    seed = config.judge
    if number == 0:
        return seed.model_copy(update={"model": model_path(seed, base)})
    folder = RunLayout(base / config.run).iteration(number, stage or len(config.training.recipe))
    final = find_trained_model(folder / "model")
    if final is None:
        raise DataError(
            f"{folder / 'model'}: no trained model there (no trained.json). Run `ste train` first."
        )
    return with_trained_weights(seed, str(final))


def require_own_weights(judge: ModelConfig, number: int) -> None:
    """Return if the judge of an iteration can be asked by the run's engine; the seed always can.

    Raises: ConfigError where a server of somebody's would answer, which keeps serving the seed.
    """
    engine = answering_model(judge).engine
    if number and engine in ELSEWHERE:
        raise ConfigError(
            f"judge.engine: {engine} cannot judge with the trained model {judge.model}, as your "
            "server keeps serving the seed. Serve that folder, and ask for it by its name there "
            "(`ste judge NAME --base-url URL`, Judge('NAME', base_url=URL)); or set judge.engine: "
            "serve, vllm or local in the run's config, and give that."
        )


def hub_revision(judge: ModelConfig) -> str | None:
    """Return the revision of a judge from the hub, where it is another than the main one."""
    revision = revision_of(judge)
    return None if revision == MAIN or Path(judge.model).is_dir() else revision
