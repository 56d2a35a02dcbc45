"""What a config says of a model's layers, held against the model itself, without its weights."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from ste_plugin.axolotl.settings import AxolotlConfig
from ste_plugin.engines.nested import MAIN

_WRAPPED = ("transformer_layer_cls_to_wrap", "fsdp_transformer_layer_cls_to_wrap")
_BY_LAYER = ("auto_wrap_policy", "fsdp_auto_wrap_policy")


class Layers:
    """The modules of a model, made from its config on no device."""

    def __init__(self, model: Any) -> None:
        self.modules: dict[str, str] = {n: type(m).__name__ for n, m in model.named_modules()}
        self.parameters = [name for name, _ in model.named_parameters()]
        self._unsplit = getattr(model, "_no_split_modules", None) or ()

    @cached_property
    def classes(self) -> set[str]:
        """The names of all classes of modules."""
        return set(self.modules.values())

    @property
    def to_wrap(self) -> list[str]:
        """The classes of its layers, as the model itself names those that stay in one piece."""
        return sorted(set(self._unsplit) & self.classes)


def layers_of(cfg: AxolotlConfig) -> Layers | None:
    """Return the layers of a config's model; None where its config or its code cannot be read."""
    named = cfg.get("base_model_config") or cfg.get("base_model")
    revision, trusted = cfg.get("revision_of_model") or MAIN, bool(cfg.get("trust_remote_code"))
    return read_layers(str(named), str(revision), trusted) if named else None


@lru_cache(maxsize=4)
def read_layers(named: str, revision: str, trust_remote_code: bool) -> Layers | None:
    """Return the layers of a model on disk or on the hub; None where it cannot be read."""
    import torch
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(
            named, revision=revision, trust_remote_code=trust_remote_code
        )
        images = type(config) in transformers.AutoModelForImageTextToText._model_mapping
        of_images = transformers.AutoModelForImageTextToText if images else None
        auto = of_images or transformers.AutoModelForCausalLM
        with torch.device("meta"):
            made = auto.from_config(config, trust_remote_code=trust_remote_code)
    except Exception:  # of the hub, of other people's code: what cannot be read is not judged
        return None
    return Layers(made)


def wrapping_changes(cfg: AxolotlConfig) -> dict[str, Any]:
    """Return `fsdp_config` with the class of the model's layers, where a config leaves it out."""
    fsdp = cfg.get("fsdp_config") or {}
    by_layer = any(fsdp.get(key) == "TRANSFORMER_BASED_WRAP" for key in _BY_LAYER)
    if not by_layer or any(fsdp.get(key) for key in _WRAPPED):
        return {}
    layers = layers_of(cfg)
    if layers is None or not layers.to_wrap:
        return {}
    given = {key: fsdp[key] for key in fsdp if fsdp[key] is not None}
    return {"fsdp_config": given | {_WRAPPED[0]: ",".join(layers.to_wrap)}}


def layer_problems(cfg: AxolotlConfig) -> list[str]:
    """Return what a config names of its model that the model has not."""
    if not any((wrapped_classes(cfg), _targets(cfg), _saved(cfg), _unfrozen(cfg))):
        return []
    layers = layers_of(cfg)
    if layers is None:
        return []
    if broken := [*pattern_problems(cfg)]:
        return [*class_problems(cfg, layers), *broken]
    return [*class_problems(cfg, layers), *name_problems(cfg, layers)]


def class_problems(cfg: AxolotlConfig, layers: Layers) -> Iterator[str]:
    """Yield the classes to wrap that are not the model's: accelerate fails once it is loaded."""
    for key, name in wrapped_classes(cfg):
        if name not in layers.classes:
            expected = ",".join(layers.to_wrap) or "a class of its layers"
            yield (
                f"{key}: {name} is no class of {cfg.get('base_model')}; expected {expected}. Write "
                "that, or remove the key, which is then filled in."
            )


def wrapped_classes(cfg: AxolotlConfig) -> list[tuple[str, str]]:
    """Return (key, class) of all that FSDP is told to wrap."""
    fsdp: Mapping[str, Any] = cfg.get("fsdp_config") or {}
    return [
        (f"fsdp_config.{key}", name.strip())
        for key in _WRAPPED
        for name in str(fsdp.get(key) or "").split(",")
        if name.strip()
    ]


def pattern_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield the patterns that are none."""
    targets = _targets(cfg)
    given = [("lora_target_modules", targets)] if isinstance(targets, str) else []
    given += [("unfrozen_parameters", _without_range(p)) for p in _unfrozen(cfg)]
    for key, pattern in given:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"{key}: {pattern!r} is no regular expression ({error}). Correct it."


def name_problems(cfg: AxolotlConfig, layers: Layers) -> Iterator[str]:
    """Yield names and patterns of which none is in the model, so that nothing is trained."""
    targets = _targets(cfg)
    if targets and not any(is_target(name, targets) for name in layers.modules):
        yield (
            f"lora_target_modules: {targets!r} match no module of {cfg.get('base_model')}. Name "
            "its own, or set lora_target_linear: true in their place."
        )
    saved = _saved(cfg)
    if saved and not any(name.endswith(end) for name in layers.modules for end in saved):
        yield (
            f"lora_modules_to_save: {saved!r} match no module of {cfg.get('base_model')}, so that "
            "none would be trained whole. Name its own, or remove the key."
        )
    wanted = cfg.get("peft_layers_to_transform")
    wanted = [wanted] if isinstance(wanted, int) else wanted or []
    numbers = {int(n) for name in layers.modules for n in re.findall(r"\.(\d+)\.", name)}
    if targets and wanted and not numbers & set(wanted):
        yield (
            f"peft_layers_to_transform: {list(wanted)!r} are no layers of "
            f"{cfg.get('base_model')}; expected some of 0 to {max(numbers, default=0)}."
        )
    patterns = _unfrozen(cfg)
    names = adapted_names(layers) if cfg.get("adapter") else layers.parameters
    if patterns and not any(unfreezes(p, n) for p in patterns for n in names):
        yield (
            f"unfrozen_parameters: {list(patterns)!r} match no weight of {cfg.get('base_model')}, "
            "so that none would be trained. Correct the patterns, or remove the key."
        )


def adapted_names(layers: Layers) -> list[str]:
    """Return the names that weights may have once PEFT has put an adapter around a model."""
    lora = [f"{name}.lora_{part}.default.weight" for name in layers.modules for part in "AB"]
    return [f"base_model.model.{name}" for name in [*layers.parameters, *lora]]


def is_target(name: str, targets: Any) -> bool:
    """Return whether PEFT takes a module for a target: by pattern, or by the end of its name."""
    if isinstance(targets, str):
        return targets == "all-linear" or bool(re.fullmatch(targets, name))
    return any(name == target or name.endswith(f".{target}") for target in targets)


def unfreezes(pattern: str, name: str) -> bool:
    """Return whether axolotl unfreezes a weight by a pattern, in which a dot is a dot."""
    return re.match(_without_range(pattern), name) is not None


def _without_range(pattern: str) -> str:
    """Return the expression of a pattern, without the rows of the weight that it may end with."""
    return re.sub(r"\[\d*:?\d*\]$", "", pattern).replace(".", r"\.")


def _unfrozen(cfg: AxolotlConfig) -> Any:
    patterns = cfg.get("unfrozen_parameters") or []
    return [patterns] if isinstance(patterns, str) else patterns


def _targets(cfg: AxolotlConfig) -> Any:
    targets = cfg.get("lora_target_modules")
    alone = not cfg.get("lora_target_linear") and not cfg.get("lora_target_parameters")
    return targets if cfg.get("adapter") and alone else None


def _saved(cfg: AxolotlConfig) -> list[str]:
    """Return the modules to be trained whole beside an adapter."""
    return list(cfg.get("lora_modules_to_save") or []) if cfg.get("adapter") else []
