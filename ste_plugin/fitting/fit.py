"""Whether a recipe fits a model on GPUs: the recipe's settings read into a sum of `memory`.

What is not read (tensor or context parallelism, `lora_modules_to_save`) is counted as if it were
not there. Held-out verdicts that are read off likelihoods need less than a step: no more tokens at
once, and no gradients.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ste_plugin.axolotl.run_config import read_recipe
from ste_plugin.axolotl.settings import SEQUENCE_LEN, STESettings
from ste_plugin.errors import ConfigError
from ste_plugin.fitting.memory import NF4, Cluster, Sharding, Terms, Training, needed
from ste_plugin.fitting.model_shape import ModelShape
from ste_plugin.fitting.ranking import Rank, rank_recipe, why_unsuited
from ste_plugin.judging.builtin import FORMATS

_RESEMBLES = {"fp8": 2, "8bit": 2.03, "4bit": 1.06, "lion": 4, "sgd": 0, "adafactor": 0}
"""Part of an optimizer's name → its bytes of state per parameter; quantised ones with their
scales."""

_LONGEST_JUDGMENT = max(judge_format.max_new_tokens for judge_format in FORMATS.values())
"""Of the formats that come with the package, in tokens: the recipe does not say which is asked."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What became of one recipe."""

    recipe: str
    fits: bool
    terms: Terms
    cluster: Cluster
    instead: tuple[str, ...]
    """What would fit, where it does not."""
    rank: Rank
    """Its place among those that fit."""
    unsuited: str = ""
    """Why this model cannot be trained with it, however much memory there is."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON; terms in GB per GPU."""
        terms = {name: round(value, 2) for name, value in asdict(self.terms).items()}
        needs = round(self.terms.total, 2)
        told = {"recipe": self.recipe, "fits": self.fits, "needed_gb": needs}
        told |= {"gpu_gb": self.cluster.gb, "terms": terms, "instead": list(self.instead)}
        return told | {"unsuited": self.unsuited}

    def __str__(self) -> str:
        if self.unsuited:
            return f"NOT FOR THIS MODEL: {self.unsuited}"
        size = f"{self.terms.total:.1f} of {self.cluster.gb:g} GB per GPU"
        named = self.terms.named()
        if self.fits:
            parts = " + ".join(f"{name} {value:.1f}" for name, value in named.items())
            return f"fits: {size} = {parts}"
        most = max(named, key=lambda name: named[name])
        cure = "; ".join(self.instead) or "nothing tried here would"
        return f"DOES NOT FIT: {size}, most is {most} {named[most]:.1f}; would fit: {cure}"


def read_cluster(text: str) -> Cluster:
    """Return the GPUs that `8x80` (GPUs x GB) or `2x8x80` (nodes x GPUs x GB) stands for.

    Raises: ConfigError where it is neither.
    """
    found = re.fullmatch(r"(?:(\d+)x)?(\d+)x(\d+(?:\.\d+)?)", text.strip())
    nodes, gpus, gb = found.groups(default="1") if found else ("0", "0", "0")
    if not (int(nodes) and int(gpus) and float(gb)):
        raise ConfigError(
            f"--gpus: found {text!r}, expected GPUSxGB or NODESxGPUSxGB, such as 8x80 for eight "
            "GPUs of 80 GB, or 2x8x80 for two nodes of these."
        )
    return Cluster(int(nodes), int(gpus), float(gb))


def fit_recipe(path: Path, shape: ModelShape, cluster: Cluster) -> Fit:
    """Return whether a recipe fits this model on these GPUs, and what would where it does not.

    Raises: ConfigError where the recipe or its DeepSpeed settings cannot be read.
    """
    recipe = read_recipe(path)
    training = read_training(recipe, path)
    terms = needed(shape, training, cluster)
    unsuited = why_unsuited(recipe, shape)
    fits = terms.total <= cluster.gb and not unsuited
    instead = () if fits or unsuited else tuple(_what_would(shape, training, cluster))
    rank = rank_recipe(recipe, training, shape.parameters)
    return Fit(path.stem, fits, terms, cluster, instead, rank, unsuited)


def best_first(found: Iterable[Fit]) -> list[Fit]:
    """Return what fits, best first by `ranking`, then what does not, in the same order."""
    return sorted(found, key=lambda fit: (not fit.fits, fit.rank, fit.terms.total, fit.recipe))


def read_training(recipe: Mapping[str, Any], path: Path) -> Training:
    """Return what of an axolotl config decides about memory, axolotl's defaults filled in.

    Raises: ConfigError where `deepspeed:` is a file that cannot be read.
    """
    rl, rank = recipe.get("rl"), recipe.get("lora_r") if recipe.get("adapter") else None
    half = any(recipe.get(key) for key in ("bf16", "bfloat16", "fp16", "float16"))
    micro, steps = recipe.get("micro_batch_size", 1), recipe.get("gradient_accumulation_steps") or 1
    sync = (recipe.get("accelerator_config") or {}).get("gradient_accumulation_kwargs") or {}
    sharding, offload = _sharding(recipe, path)
    training = Training(
        tokens=recipe.get("sequence_len") or SEQUENCE_LEN,
        sequences=micro * (2 if rl in ("dpo", "ipo", "orpo", "simpo") else 1),
        rank=rank,
        targets=_targets(recipe),
        parameters=_expert_targets(recipe),
        weight_bytes=_weight_bytes(recipe, 2 if half else 4),
        quantised_experts=bool(recipe.get("quantize_moe_experts")),
        compute_bytes=2 if half else 4,
        adam_bytes=_state_bytes(
            recipe, 4 if rank is None and half and sharding in ("none", "fsdp") else 8
        ),
        sharding=sharding,
        whole_gradients=sharding == "fsdp" and steps > 1 and not sync.get("sync_each_batch"),
        checkpointing=bool(
            recipe.get("gradient_checkpointing") or _fsdp(recipe).get("activation_checkpointing")
        ),
        preference=rl is not None,
        fused_loss=_has_fused_loss(recipe),
        eager_attention=recipe.get("attn_implementation") == "eager",
        reference=_has_reference(recipe),
        offload_weights="weights" in offload,
        offload_optimizer="optimizer" in offload,
    )
    if rl == "grpo":
        return _generating(training, recipe, micro * steps)
    return _judging(training, recipe.get("ste") or {}, micro)


def _targets(recipe: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the linear maps that get an adapter, None for all; both keys add up."""
    named = recipe.get("lora_target_modules")
    every = recipe.get("lora_target_linear") or isinstance(named, str)
    given = named or recipe.get("lora_target_parameters")
    return None if every or not given else tuple(named or ())


def _expert_targets(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    named = recipe.get("lora_target_parameters") or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _has_fused_loss(recipe: Mapping[str, Any]) -> bool:
    """Return whether cut cross entropy or Liger's loss is on: its plugin named, its key not off.

    Preference and reward trainers of TRL read logits themselves, so both change nothing there.
    """
    names = {str(name).rpartition(".")[2] for name in recipe.get("plugins") or ()}
    cut = "CutCrossEntropyPlugin" in names and recipe.get("cut_cross_entropy") is not False
    liger = "LigerPlugin" in names and bool(recipe.get("liger_fused_linear_cross_entropy"))
    return (cut or liger) and recipe.get("rl") is None


def _weight_bytes(recipe: Mapping[str, Any], width: int) -> float:
    if recipe.get("load_in_4bit"):
        return NF4
    return 1 if recipe.get("load_in_8bit") else width


def _state_bytes(recipe: Mapping[str, Any], adam: float) -> float:
    name = str(recipe.get("optimizer") or "adamw_torch_fused")
    return next((size for part, size in _RESEMBLES.items() if part in name), adam)


def _has_reference(recipe: Mapping[str, Any]) -> bool:
    """Return whether axolotl loads the model twice: for a reference, without an adapter to turn
    off."""
    rl = recipe.get("rl")
    if rl not in ("dpo", "ipo", "kto", "grpo") or recipe.get("precompute_ref_log_probs"):
        return False
    if rl == "grpo" and not (recipe.get("trl") or {}).get("beta"):
        return False
    return not recipe.get("adapter") or bool(recipe.get("rl_adapter_ref_model"))


def _generating(training: Training, recipe: Mapping[str, Any], sequences: int) -> Training:
    trl, vllm = recipe.get("trl") or {}, recipe.get("vllm") or {}
    answer = trl.get("max_completion_length") or 256
    # axolotl hands TRL a model that has its adapter, which TRL 1.9 copies where there is a KL term
    copies = training.rank is not None and bool(trl.get("beta"))
    training = replace(
        training,
        tokens=training.tokens + answer,
        loss_tokens=answer,
        adapter_reference=copies and not training.reference,
    )
    if not trl.get("use_vllm"):
        return replace(training, generated=sequences)
    inside = trl.get("vllm_mode") == "colocate"
    share = vllm.get("gpu_memory_utilization") or 0.9
    return replace(training, served_share=share if inside else 0)


def _judging(training: Training, own: Mapping[str, Any], micro: int) -> Training:
    """Return a training that also writes judgments of held-out pairs, where `ste:` asks for that.

    Their prompts have no more tokens than a batch of the training; what is written comes on top.
    """
    if own.get("judge_by") != "generation":
        return training
    prompts = own.get("judge_batch_size") or STESettings.model_fields["judge_batch_size"].default
    written = own.get("judge_max_new_tokens") or _LONGEST_JUDGMENT
    each = micro * training.tokens // prompts + written
    return replace(training, generated=prompts, generated_tokens=each)


def _sharding(recipe: Mapping[str, Any], path: Path) -> tuple[Sharding, set[str]]:
    if fsdp := _fsdp(recipe):
        return "fsdp", {"weights", "optimizer"} if fsdp.get("offload_params") else set()
    if not (given := recipe.get("deepspeed")):
        return "none", set()
    zero = _deepspeed(given, path).get("zero_optimization") or {}
    stages: tuple[Sharding, ...] = ("none", "zero1", "zero2", "zero3")
    on_cpu = {"weights": "offload_param", "optimizer": "offload_optimizer"}
    offload = {what for what, key in on_cpu.items() if _leaves_gpu(zero.get(key))}
    return stages[int(zero.get("stage", 0))], offload


def _fsdp(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fsdp_config` by the keys' present names, as axolotl reads the old ones too."""
    given = recipe.get("fsdp_config") or {}
    return {str(key).removeprefix("fsdp_"): value for key, value in given.items()}


def _leaves_gpu(offload: Any) -> bool:
    return isinstance(offload, Mapping) and offload.get("device", "none") != "none"


def _deepspeed(given: Any, path: Path) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    try:
        return dict(json.loads(Path(given).expanduser().read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not JSON"
        raise ConfigError(
            f"{path}: deepspeed: {given} cannot be read ({why}). Start `ste` where axolotl would "
            "be started, or write the settings into the recipe."
        ) from error


def _what_would(shape: ModelShape, training: Training, cluster: Cluster) -> list[str]:
    """Return each single change that would make it fit: of a kind, the smallest."""
    lora = replace(training, rank=training.rank or 32, reference=False)
    qlora = replace(lora, weight_bytes=NF4, sharding="none")
    shared = replace(training, sharding="zero3")
    shorter = (t for t in (8192, 4096, 2048, 1024, 512) if t < training.tokens)
    larger = (replace(cluster, gb=gb) for gb in (24, 40, 48, 80, 141, 180) if gb > cluster.gb)
    kinds: list[list[tuple[str, Training, Cluster]]] = [
        [
            (f"{t} tokens, now {training.tokens}", replace(training, tokens=t), cluster)
            for t in shorter
        ],
        [("deepspeed with ZeRO-3, or fsdp_config, on these GPUs", shared, cluster)],
        [(f"{c} GPUs", training, c) for c in _larger_clusters(cluster)],
        [(f"{c} GPUs", training, c) for c in larger],
        [("adapter: lora", lora, cluster)],
        [("adapter: qlora with load_in_4bit", qlora, cluster)],
    ]
    found = (next((told for told, t, c in kind if _fits(shape, t, c)), "") for kind in kinds)
    return [told for told in found if told]


def _larger_clusters(cluster: Cluster) -> list[Cluster]:
    """Return what to go on to: 2, 4 and 8 GPUs of one node, then whole nodes."""
    inside = [
        replace(cluster, gpus=n) for n in (2, 4, 8) if cluster.nodes == 1 and n > cluster.gpus
    ]
    nodes = [n for n in (2, 4, 8, 16, 32) if n > cluster.nodes]
    return inside + [replace(cluster, nodes=n, gpus=max(8, cluster.gpus)) for n in nodes]


def _fits(shape: ModelShape, training: Training, cluster: Cluster) -> bool:
    return needed(shape, training, cluster).total <= cluster.gb
