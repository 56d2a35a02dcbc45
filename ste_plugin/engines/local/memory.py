"""How many sequences a device has memory for, and whether a model fits into it at all."""

import os
from math import ceil
from pathlib import Path
from typing import Any

import torch

from ste_plugin.engines.local.batches import BatchBudget
from ste_plugin.errors import EngineError

_SHARE = {"cuda": 0.8, "cpu": 0.5}
"""Of the free memory: the rest is for fragments, workspaces, and on a CPU other processes."""
_MAX_ROWS = {"cuda": 512, "cpu": 64}
"""More sequences at once decode no faster: compute or the overhead per step is the limit then."""
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def automatic_budget(config: Any, dtype: torch.dtype, device: torch.device) -> BatchBudget:
    """Return the budget for batches of a model with this config, by the memory now free.

    Counts a token's keys and values, the widest activations in prefill, the attention mask, and a
    row's logits (in float32, three times: scaled, exponentiated, summed).
    """
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    cache = 2 * config.num_hidden_layers * kv_heads * width
    activations = 8 * config.hidden_size + 3 * inner
    kind = device.type if device.type in _SHARE else "cpu"
    return BatchBudget(
        limit=_SHARE[kind] * free_memory(device),
        per_token=(cache + activations) * dtype.itemsize,
        per_row=3 * 4 * config.vocab_size,
        per_token_pair=1 + dtype.itemsize,
        max_rows=_MAX_ROWS[kind],
    )


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a device; on a CPU within the container's limit."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_machine_memory(), _container_memory())


def _machine_memory() -> int:
    """Return the bytes that are available without swapping, cached files aside."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(n.split()[1]) * 1024 for n in lines if n.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: half of all there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _container_memory() -> int:
    """Return the bytes left under the control group's limit; without a limit, more than exist."""
    try:
        limit, used = (Path(f"/sys/fs/cgroup/memory.{n}").read_text() for n in ("max", "current"))
        return int(limit) - int(used)
    except (OSError, ValueError):  # no such group, or a limit of `max`
        return 1 << 62


def check_weights_fit(path: str, weights: int, dtype: str, free: int, device: str) -> None:
    """Return if `weights` bytes and 5 % for computing fit into `free` ones.

    Raises: EngineError with what is needed, what there is, and what would fit.
    """
    if weights * 1.05 <= free:
        return
    alternatives = "; ".join(_list_alternatives(weights, dtype, free))
    raise EngineError(
        f"{path}: its weights take {weights / 1e9:.1f} GB in {dtype}, and {device} has "
        f"{free / 1e9:.1f} GB free. What would fit: {alternatives}."
    )


def out_of_memory(path: str, width: int, device: torch.device) -> EngineError:
    """Return the error of a device that cannot hold a single sample."""
    return EngineError(
        f"{path}: no memory on {device} for one sample of {width} tokens, prompt and answer; "
        f"{free_memory(device) / 1e9:.1f} GB are free. Set a smaller max_new_tokens, options: "
        "{dtype: bfloat16}, or engine: vllm with tensor_parallel_size; or end what else uses the "
        "memory."
    )


def _list_alternatives(weights: int, dtype: str, free: int) -> list[str]:
    """Return what would fit, cheapest first."""
    parameters = weights / _BYTES.get(dtype, 2)
    alternatives = []
    if dtype == "float32" and parameters * 2.1 <= free:
        alternatives.append(f"options: {{dtype: bfloat16}}, {parameters * 2 / 1e9:.1f} GB")
    if parameters * 0.7 <= free:
        alternatives.append(
            f"a copy of the model quantised to 4 bits, about {parameters * 0.65 / 1e9:.1f} GB"
        )
    gpus = ceil(parameters * 2 * 1.2 / free) if free else 8
    if gpus > 1:
        alternatives.append(
            f"engine: vllm with options: {{tensor_parallel_size: {1 << (gpus - 1).bit_length()}}} "
            "on so many GPUs of this size"
        )
    alternatives.append("options: {device: cpu}, slow, or engine: http for a server elsewhere")
    return alternatives
