"""Combinations that axolotl or TRL would refuse late, or accept and get wrong."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ste_plugin.axolotl.adapter_checks import adapter_problems, merging_problems
from ste_plugin.axolotl.changes import changes, needed_changes, template_changes
from ste_plugin.axolotl.checkpoints import loading_problems, select_best_args
from ste_plugin.axolotl.data_keys import feeding_problems, refused_keys
from ste_plugin.axolotl.decision_checks import decision_problems
from ste_plugin.axolotl.model_layers import layer_problems
from ste_plugin.axolotl.order_checks import order_problems
from ste_plugin.axolotl.requirements import requirement_problems
from ste_plugin.axolotl.settings import AxolotlConfig, STESettings, read_settings
from ste_plugin.axolotl.trainer_names import trainer_name_problems
from ste_plugin.errors import ConfigError, SteError
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest

_OTHER_WEIGHTS = (
    "resume_from_checkpoint",
    "lora_model_dir",
    "base_model_config",
    "tokenizer_config",
    "revision_of_model",
)
"""Keys that name weights, or what goes with them, beside `base_model`."""
_PREFERENCE = ("dpo", "ipo", "orpo", "simpo", "kto")


def check_config(cfg: AxolotlConfig, settings: STESettings, manifest: DatasetManifest) -> None:
    """Return if a config, our changes made, can be trained with.

    Raises: ConfigError with every problem and what to do about it.
    """
    if problems := [*all_problems(cfg, settings, manifest)]:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{len(problems)} thing(s) to fix before training:\n{listed}")


def all_problems(
    cfg: AxolotlConfig, settings: STESettings, manifest: DatasetManifest
) -> Iterator[str]:
    """Yield all that is wrong with a config, our changes made."""
    for check in CHECKS:
        yield from check(cfg)
    yield from feeding_problems(cfg, settings)
    yield from preparation_problems(cfg, settings)
    yield from held_out_problems(cfg, settings, manifest)
    if settings.select_best:
        yield from loading_problems(cfg)


def config_problems(given: AxolotlConfig) -> list[str]:
    """Return all that our plugin finds wrong with a config as it was written.

    Where a change that is needed is refused, what hangs on it is not looked at.
    """
    try:
        settings = read_settings(given)
        manifest = read_manifest(settings.manifest)
    except SteError as error:
        return [str(error)]
    problems: list[str] = []
    cfg = dict(given)
    for step in (_select_best, changes):
        try:
            cfg |= step(given, settings, manifest)
        except SteError as error:
            problems += [str(error)] if str(error) not in problems else []
    if problems:
        return [*problems, *recipe_problems(cfg)]
    return [*all_problems(cfg, settings, manifest)]


def missing(cfg: AxolotlConfig) -> list[str]:
    """Return what a config names that is not on this machine, or not in its model."""
    found: list[str] = []
    for look in (requirement_problems, layer_problems):
        with suppress(AttributeError, TypeError):  # a value of a type that axolotl refuses
            found += look(cfg)
    return found


def problems_ahead(
    recipe: AxolotlConfig,
    model: str,
    revision: str | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return what would stop a run's training of `model`, told without a data set.

    The run chooses the model and where the output goes, so that these are not looked for, and
    merges an adapter. What else names weights is refused: it would go into every iteration.
    `revision`: the model's own, which a recipe that a run laid over names, too. `template_kwargs`:
    what the judge's chat template is given, where that is known.
    """
    chosen = ("base_model", "output_dir", "dataset_prepared_path", *_OTHER_WEIGHTS)
    own = {key: value for key, value in recipe.items() if key not in chosen}
    cfg = own | {"base_model": model, "ste": {**(own.get("ste") or {}), "merge": True}}
    found = [*other_weights_problems(recipe, revision)]
    with suppress(AttributeError, TypeError):  # a value of a type that axolotl refuses
        found += recipe_problems(cfg) + requirement_problems(own) + layer_problems(cfg)
        found += reading_problems(cfg, template_kwargs)
    return [*dict.fromkeys(found)]


def reading_problems(
    cfg: AxolotlConfig, template_kwargs: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Yield why a run's rows, which are made later, would not be trained on as they are asked.

    Where a change that is needed is refused, what hangs on it is not looked at.
    """
    try:
        settings = read_settings({**cfg, "ste": {"manifest": "made later", **cfg["ste"]}})
        if settings.datasets != "off":
            needed_changes(cfg)
            if template_kwargs is not None:
                template_changes(cfg, template_kwargs)
        if settings.select_best:
            select_best_args(cfg, settings.select_best)
    except SteError as error:
        yield str(error)
        return
    yield from feeding_problems(cfg, settings)
    yield from preparation_problems(cfg, settings)
    if settings.select_best:
        yield from loading_problems(cfg)


def other_weights_problems(recipe: AxolotlConfig, revision: str | None) -> Iterator[str]:
    """Yield the keys by which a recipe names other weights than those that a run trains."""
    for key in _OTHER_WEIGHTS:
        is_own = key == "revision_of_model" and recipe.get(key) == revision
        if recipe.get(key) and not is_own:
            yield (
                f"{key}: {recipe[key]}: the run chooses the model, another one in each iteration, "
                "and this would go into them all. Remove the key; the model to start from is "
                "judge.model in the run's config."
            )


def check_machine(cfg: AxolotlConfig) -> None:
    """Return if all that a config names is there. Raises: ConfigError with what is not."""
    if problems := missing(cfg):
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{len(problems)} thing(s) are not there to train with:\n{listed}")


def recipe_problems(cfg: AxolotlConfig) -> list[str]:
    """Return what is wrong with a config whatever its data set is."""
    checks = (check for check in CHECKS if check is not evaluation_problems)
    found = [problem for check in checks for problem in check(cfg)]
    return [*found, *refused_keys(cfg)]


def _select_best(cfg: AxolotlConfig, settings: STESettings, _: DatasetManifest) -> dict[str, Any]:
    """Set nothing: what chooses the best checkpoint goes past axolotl's validation."""
    if settings.select_best:
        select_best_args(cfg, settings.select_best)
    return {}


def loss_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield what is wrong with DPO's losses and weights."""
    for key in ("rpo_alpha", "dpo_norm_loss"):
        if cfg.get(key) is not None:
            yield (
                f"{key}: gone from TRL. Write dpo_loss_type: [sigmoid, sft] and dpo_loss_weights: "
                f"[1.0, {cfg[key]}]."
            )
    types, weights = cfg.get("dpo_loss_type"), cfg.get("dpo_loss_weights")
    if isinstance(types, str):
        types = [types]
    n_types = len(types or ["sigmoid"])
    if weights and n_types != len(weights):
        yield f"dpo_loss_weights: {len(weights)} weights for {n_types} loss type(s). Give one each."
    if types and len(types) > 1 and not weights:
        yield (
            f"dpo_loss_weights: missing, so that each of {list(types)} weighs 1. Write "
            "dpo_loss_weights: [1.0, 1.5] or what you want."
        )
    if types and len(types) > 1 and cfg.get("dpo_use_liger_kernel"):
        yield "dpo_use_liger_kernel: takes one loss type only. Remove it."


def simpo_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield what makes TRL's SimPO fail at its first step (1.9)."""
    if cfg.get("rl") == "simpo" and cfg.get("simpo_gamma") is None:
        yield (
            "simpo_gamma: missing, and TRL has no default for it. Write simpo_gamma: 0.5 or what "
            "you want."
        )


def packing_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield what is wrong with sample packing."""
    if cfg.get("sample_packing") and cfg.get("rl"):
        yield f"sample_packing: not with rl: {cfg['rl']}. Set it to false."


def sharding_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield what FSDP2 refuses."""
    quantized = cfg.get("load_in_4bit") or cfg.get("load_in_8bit")
    sharded = cfg.get("fsdp_config") or cfg.get("fsdp")
    if sharded and quantized and cfg.get("rl") in _PREFERENCE:
        yield (
            f"fsdp_config: not with 4 or 8 bit weights and rl: {cfg['rl']}. Use adapter: lora in "
            "bf16, or deepspeed."
        )


def cutting_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield what cuts rows into parts for several GPUs, in callbacks as well (axolotl 0.19)."""
    for key in ("context_parallel_size", "sequence_parallel_degree"):
        if (cfg.get(key) or 1) > 1:
            yield (
                f"{key}: cuts rows among GPUs, so that the place of a verdict is lost where the "
                "judge is measured and its merge is checked, and the orders of a pair come apart. "
                "Set it to 1; tensor_parallel_size and fsdp_config share a model out as well."
            )
    if cfg.get("scaling_softmax"):
        yield (
            "scaling_softmax: changes the attention of the training alone; no saved model has it. "
            "Remove the key."
        )


def step_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield why no step would be taken, or none would change a weight."""
    if _is_zero(cfg.get("learning_rate")):
        yield "learning_rate: 0 changes no weight. Write learning_rate: 0.0001 or what you want."
    if _is_zero(cfg.get("num_epochs")) and not cfg.get("max_steps"):
        yield "num_epochs: 0 trains on nothing. Write num_epochs: 1 or what you want."


def _is_zero(value: Any) -> bool:
    try:
        return value is not None and float(value) == 0
    except (TypeError, ValueError):  # of a type that axolotl refuses
        return False


def evaluation_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield evaluation that has nothing to evaluate on."""
    wants = [k for k in ("eval_steps", "evals_per_epoch", "early_stopping_patience") if cfg.get(k)]
    if wants and not cfg.get("test_datasets") and not cfg.get("val_set_size"):
        yield (
            f"{', '.join(wants)}: the manifest has no held-out rows to evaluate on. Remove these "
            "keys, or generate with a larger dataset.dev_fraction."
        )


CHECKS: tuple[Callable[[AxolotlConfig], Iterator[str]], ...] = (
    adapter_problems,
    trainer_name_problems,
    step_problems,
    loss_problems,
    simpo_problems,
    order_problems,
    packing_problems,
    sharding_problems,
    cutting_problems,
    evaluation_problems,
    decision_problems,
    merging_problems,
)


def preparation_problems(cfg: AxolotlConfig, settings: STESettings) -> Iterator[str]:
    """Yield why our rows would not be trained on as they are asked."""
    if cfg.get("skip_prepare_dataset") and not cfg.get("rl") and settings.datasets != "off":
        yield (
            "skip_prepare_dataset: our rows would reach the trainer without the judge's chat "
            "template. Set it to false; judgments are text alone, of a vision model as well."
        )


def held_out_problems(
    cfg: AxolotlConfig, settings: STESettings, manifest: DatasetManifest
) -> Iterator[str]:
    """Yield why the best checkpoint cannot be chosen."""
    if not settings.select_best:
        return
    if not manifest.count("judge-dev"):
        yield (
            "ste.select_best: the manifest has no held-out pairs (judge-dev). Generate with a "
            "larger dataset.dev_fraction, or remove the key."
        )
    if not cfg.get("test_datasets") and not cfg.get("val_set_size"):
        yield (
            "ste.select_best: nothing is evaluated on during training. Give test_datasets, or "
            "remove the key."
        )
