"""The models that a run's config names, looked over before a token is paid for."""

from collections.abc import Iterator
from pathlib import Path

from ste_plugin.config import ModelConfig, RunConfig
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.model_folder import EXPECTED_MODEL, adapter_base, explain_unloadable
from ste_plugin.engines.nested import answering_model
from ste_plugin.engines.registry import LOADING
from ste_plugin.errors import ConfigError, EngineError


def find_unloadable(config: RunConfig, base: Path) -> Iterator[tuple[str, str]]:
    """Yield the setting of each model that an engine of ours is to load and cannot, and why.

    `base`: the folder that the config's relative paths start from.
    """
    for setting, model in config.models.items():
        if answering_model(model).engine not in LOADING:
            continue
        try:
            problem = explain_unloadable(model_path(model, base))
        except EngineError as error:  # an adapter of nobody knows what
            problem = str(error).rstrip(".")
        if problem:
            yield setting, f"{model.model}: cannot be loaded as a model: {problem}"


def check_loadable(config: RunConfig, base: Path) -> None:
    """Raise ConfigError for a model that its engine could not load once others are paid for."""
    for setting, problem in find_unloadable(config, base):
        raise ConfigError(f"{setting}.model: {problem}.\n{EXPECTED_MODEL}")


def check_whole(judge: ModelConfig, base: Path) -> None:
    """Raise ConfigError for a judge's folder that holds an adapter alone.

    Our engines load one with its base; axolotl, which trains the judge, and lm-eval do not.
    """
    path = model_path(judge, base)
    if adapted := adapter_base(Path(path)):
        raise ConfigError(
            f"judge.model: {path}: found a LoRA adapter of {adapted}; expected a whole model, as "
            "the run trains it with axolotl and measures it with lm-eval. Merge the two (PEFT's "
            "merge_and_unload), save the model and its tokenizer in one folder, and name that. An "
            "adapter's folder will do for generator and pairs.weaker."
        )
