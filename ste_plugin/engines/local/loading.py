"""Loading a model, or a base and its LoRA adapter, with transformers."""

import logging
import os
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ste_plugin.engines.local.attention import share_heads
from ste_plugin.engines.local.cpu import multiplies_bfloat16
from ste_plugin.engines.local.memory import check_weights_fit, free_memory
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.engines.model_folder import EXPECTED_MODEL, adapter_base
from ste_plugin.errors import ConfigError, EngineError, SteError

logger = logging.getLogger(__name__)
_EMULATED = (
    "%s: options: dtype: bfloat16, which this CPU has no instructions for: it emulates "
    "them, far slower than float32. Leave dtype away, or set float32."
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model on its device, ready to answer."""

    path: str
    tokenizer: Any
    model: Any
    device: torch.device

    @property
    def config(self) -> Any:
        """Return the configuration of its language model."""
        return self.model.config.get_text_config()

    @property
    def stop_ids(self) -> list[int]:
        """Return the tokens that end an answer."""
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return sorted({i for i in [*ids, self.tokenizer.eos_token_id] if i is not None})


def load(path: str, options: LocalOptions) -> LoadedModel:
    """Return the model at `path`: a folder, a hub id, or the folder of a LoRA adapter.

    Raises: EngineError where it cannot be loaded, or its weights do not fit on the device.
    """
    device = _pick_device(options)
    if device.type == "cpu":
        torch.set_num_threads(options.threads or _count_threads())
    dtype = "float32" if options.dtype == "auto" and device.type == "cpu" else options.dtype
    if device.type == "cpu" and dtype == "bfloat16" and not multiplies_bfloat16():
        logger.warning(_EMULATED, path)
    try:
        tokenizer, model = _load_parts(path, options, dtype)
    except (SteError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # libraries raise every kind for files that they did not expect
        here = "" if Path(path).is_dir() else "no folder of that name here, and as a hub id: "
        raise EngineError(
            f"{path}: cannot be loaded as a model: {here}{_explain(error)}\n{EXPECTED_MODEL}"
        ) from error
    if device.type == "cuda":
        used_dtype = str(model.dtype).removeprefix("torch.")
        footprint = model.get_memory_footprint()
        check_weights_fit(path, footprint, used_dtype, free_memory(device), str(device))
    else:
        share_heads(model)
    return LoadedModel(path, tokenizer, model.to(device).eval(), device)


def _pick_device(options: LocalOptions) -> torch.device:
    has_cuda = torch.cuda.is_available()
    auto = "cuda" if has_cuda else "cpu"
    device = torch.device(auto if options.device == "auto" else options.device)
    if device.type == "cuda" and not has_cuda:
        raise EngineError(
            f"options of engine local: device: found {options.device!r}, but torch sees no CUDA "
            "device here. Set device: auto, or see that the driver and a torch for CUDA are "
            "installed (`ste doctor`)."
        )
    return device


def _explain(error: Exception) -> str:
    """Return the first line of a library's error, or what that means."""
    first = next(iter(str(error).splitlines()), "")
    if "ignore_mismatched_sizes" in first:
        return "its weights have other shapes than its config.json says."
    if isinstance(error, (OSError, ValueError)):
        return first
    return f"its files are not what they should be ({type(error).__name__}: {first})."


def _count_threads() -> int:
    """Return how many threads compute: OMP_NUM_THREADS, else one for each core we may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count()
    value = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # 4,2: nested
    if value and not (value.isdecimal() and int(value)):
        raise ConfigError(
            f"OMP_NUM_THREADS: found {value!r}; expected a whole number from 1. Set it to one, or "
            "unset it."
        )
    return int(value or cores or 1)


def _load_parts(path: str, options: LocalOptions, dtype: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = adapter_base(Path(path))
    own = base is None or (Path(path) / "tokenizer_config.json").is_file()
    revision, trusted = options.revision, options.trust_remote_code
    tokenizer = AutoTokenizer.from_pretrained(
        path if own else base, revision=revision, trust_remote_code=trusted
    )
    # other weights are pickles, which can run code when they are loaded
    model, found = AutoModelForCausalLM.from_pretrained(
        base or path,
        dtype=dtype,
        use_safetensors=True,
        revision=revision,
        trust_remote_code=trusted,
        output_loading_info=True,
    )
    _require_all(base or path, found["missing_keys"])
    return tokenizer, model if base is None else _merge_adapter(model, path, len(tokenizer))


def _require_all(path: str, missing: Collection[str]) -> None:
    """Raise EngineError where weights lack tensors: transformers draws these at random, and says so
    in a warning alone."""
    if missing:
        raise EngineError(
            f"{path}: its weights lack {len(missing)} tensors of the model that its config.json "
            f"describes, such as {min(missing)}; these would be random. Copy or merge it again."
        )


def _merge_adapter(base: Any, folder: str, vocabulary: int) -> Any:
    """Return the base with the adapter merged into it, as after training.

    Quantised weights would be rounded once more, so to these the adapter is added unmerged.
    """
    try:
        from peft import PeftModel
    except ModuleNotFoundError as error:
        raise EngineError(
            f"{folder}: a LoRA adapter, which the local engine loads with peft, and peft is not "
            "installed here. Install it (`pip install peft`), or give the merged model's folder."
        ) from error

    if vocabulary > base.get_input_embeddings().weight.shape[0]:
        base.resize_token_embeddings(vocabulary)  # training added tokens, as peft itself does it
    try:
        with warnings.catch_warnings():
            # of an adapter that is for other tensors, whose model would be its base
            warnings.filterwarnings("error", message="Found missing adapter keys")
            adapted = PeftModel.from_pretrained(base, folder, use_safetensors=True)
    except (RuntimeError, UserWarning) as error:  # what torch raises for tensors of another shape
        raise EngineError(
            f"{folder}: this adapter does not fit its base: {str(error).splitlines()[-1].strip()}\n"
            "Set base_model_name_or_path in its adapter_config.json to the model it was trained on."
        ) from error
    return adapted if getattr(base, "is_quantized", False) else adapted.merge_and_unload()
