"""Merging the adapter that was trained, by the method that loses nothing of it."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from axolotl.utils.logging import get_logger

from ste_plugin.engines.model_folder import ADAPTER_CONFIG, copy_tokenizer, read_tensors

LOG = get_logger("axolotl.ste_plugin.merging")

MEMORY_EFFICIENT = "memory_efficient"
LEGACY = "legacy"

_PLAIN: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "init_lora_weights": (None, True, False, "gaussian"),
    "bias": (None, "none"),
    "lora_bias": (None, False),
    "layer_replication": (None, []),
    "fan_in_fan_out": (None, False),
    "target_parameters": (None, []),
    "trainable_token_indices": (None, [], {}),
}
"""Key of an adapter's config → the values that axolotl's `memory_efficient` merges right (0.19).

Other starting points (PiSSA, OLoRA, LoftQ, …) change the base's weights before the training, and
are worked out again where the base is loaded whole.
"""
_PART = re.compile(r"\.lora_(A|B)\.weight$|\.lora_magnitude_vector(\.weight)?$")
_KEPT_BESIDE = re.compile(r"\.(original_module|modules_to_save)(?=\.weight$)")
"""In the names of tensors that PEFT may write a second time, beside the plain one."""
_PREFIX = "base_model.model."
_HEAD = "lm_head.weight"
_EMBEDDING = ("embed", "wte")
"""One of them is in the name of the weights that a tied head shares."""
_WHOLE = {
    "merge_method": LEGACY,
    "merge_lora": True,
    "load_in_8bit": False,
    "load_in_4bit": False,
    "quantize_moe_experts": False,
    "ple_cpu_offload": False,
    "attn_implementation": None,
    "ddp": False,
    "context_parallel_size": 1,
    "tensor_parallel_size": 1,
    "deepspeed": None,
    "fsdp": None,
    "fsdp_config": None,
}
"""What `axolotl merge-lora` sets in a training's config, to load the base whole."""


def merge(cfg: Any) -> tuple[Path, str]:
    """Merge the adapter in `output_dir`; return the model's folder and the method.

    The folder has the tokenizer of the training.
    """
    from axolotl.cli.merge_lora import do_merge_lora
    from axolotl.utils.dict import DictDefault

    output = Path(cfg.output_dir)
    reason = why_whole(output, base_folder(cfg)) or other_config(cfg)
    if reason and cfg.merge_method != LEGACY:
        LOG.info("ste: merge_method: %s → %s, as %s", cfg.merge_method, LEGACY, reason)
    method = LEGACY if reason or cfg.merge_method == LEGACY else MEMORY_EFFICIENT
    # the recipe may continue an older adapter through lora_model_dir: merge the new one
    keys = {**cfg, "lora_model_dir": cfg.output_dir, "merge_method": method}
    do_merge_lora(cfg=DictDefault(keys | (whole_base(cfg) if method == LEGACY else {})))
    final = output / "merged"
    copy_tokenizer(output, final)
    return final, method


def whole_base(cfg: Any) -> dict[str, Any]:
    """Return the keys by which axolotl loads a base whole, over all GPUs of a training."""
    return _WHOLE | ({"device_map": "auto"} if (cfg.world_size or 1) > 1 else {})


def untie(model: Any) -> None:
    """Give a tied head weights of its own, where embeddings or head have a LoRA.

    In training only the one of them had it; merged into weights that both share, both would.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is None or not any(hasattr(module, "base_layer") for module in (embedding, head)):
        return
    embedding, head = (getattr(module, "base_layer", module) for module in (embedding, head))
    if embedding.weight is not head.weight:
        return
    head.weight = type(head.weight)(head.weight.detach().clone(), requires_grad=False)
    model.config.tie_word_embeddings = False
    model.config.get_text_config().tie_word_embeddings = False


def base_folder(cfg: Any) -> Path | None:
    """Return the folder of the base's files, or None where it cannot be found."""
    if Path(cfg.base_model).is_dir():
        return Path(cfg.base_model)
    from huggingface_hub import snapshot_download

    try:  # the training has just loaded it
        found = snapshot_download(
            cfg.base_model, revision=cfg.revision_of_model, local_files_only=True
        )
    except (OSError, ValueError):
        return None
    return Path(found)


def why_whole(adapter: Path, base: Path | None) -> str | None:
    """Return why an adapter is merged right only into a base that is loaded whole, or None.

    axolotl's `memory_efficient` takes the base's files one by one, and passes over each of an
    adapter's tensors that it finds no weight for (0.19).
    """
    config = json.loads((adapter / ADAPTER_CONFIG).read_bytes())
    for key, plain in _PLAIN.items():
        if config.get(key) not in plain:
            return f"the adapter has {key}: {config[key]!r}"
    weights = adapter / "adapter_model.safetensors"
    names = weight_names(base) if base else set()
    if not names or not weights.is_file():
        return "the weights of base and adapter are not all safetensors"
    return unplaced(read_tensors(weights), names)


def other_config(cfg: Any) -> str | None:
    """Return by which key a model is trained by another config than its base's file, or None.

    axolotl's `memory_efficient` copies that file as it is (0.19).
    """
    if cfg.overrides_of_model_config:
        return f"it was trained with overrides_of_model_config: {cfg.overrides_of_model_config}"
    if cfg.base_model_config and cfg.base_model_config != cfg.base_model:
        return f"it was trained with base_model_config: {cfg.base_model_config}"
    return None


def weight_names(base: Path) -> set[str]:
    """Return the names of all weights in a model's files."""
    return {name for path in base.glob("*.safetensors") for name in read_tensors(path)}


def unplaced(tensors: Iterable[str], base: set[str]) -> str | None:
    """Return what says of the first adapter's tensor that belongs to no single weight, or None."""
    names, tied = set(tensors), not any(name.endswith(_HEAD) for name in base)
    doubled = {n for n in names if _KEPT_BESIDE.search(n) and _KEPT_BESIDE.sub("", n) in names}
    for name in sorted(names - doubled):
        target = target_of(name)
        if target not in base or not target.endswith(".weight"):
            return f"the adapter's {name} belongs to no weight in the base's files"
        if tied and any(word in target for word in _EMBEDDING):
            return f"the adapter's {name} belongs to a weight that the base's head shares"
    return None


def target_of(tensor: str) -> str:
    """Return the name of the base's weight that an adapter's tensor changes or replaces."""
    return _PART.sub(".weight", tensor.removeprefix(_PREFIX))
