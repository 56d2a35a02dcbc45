"""How many sequences a device has memory for, and whether a model fits on it at all."""

import os
from math import ceil
from pathlib import Path
from typing import Any

import torch

from ste_plugin.engines.local.batches import BatchBudget
from ste_plugin.errors import EngineError

_SHARE = {"cuda": 0.8, "cpu": 0.5}
"""Of the free memory: the rest is for fragments, kernels' workspaces, and on a CPU everybody else."""
_MOST_ROWS = {"cuda": 512, "cpu": 64}
"""More sequences at once write no faster: compute, or the steps' own overhead, is used up by then."""
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def automatic_budget(config: Any, dtype: torch.dtype, device: torch.device) -> BatchBudget:
    """Return the room for batches of a model with this transformers config, by the memory now free.

    Counts a token's keys and values, the widest activations while a prompt is read, the attention
    mask, and a row's logits (in float32, three times: scaled, exponentiated, summed).
    """
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    numbers = 2 * config.num_hidden_layers * kv_heads * width + 8 * config.hidden_size + 3 * inner
    kind = device.type if device.type in _SHARE else "cpu"
    return BatchBudget(
        limit=_SHARE[kind] * free_memory(device),
        a_token=numbers * dtype.itemsize,
        a_row=3 * 4 * config.vocab_size,
        a_pair=1 + dtype.itemsize,
        most_rows=_MOST_ROWS[kind],
    )


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be had on a device; on a CPU within the container's limit."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_machine_memory(), _container_memory())


def _machine_memory() -> int:
    """Return the bytes that could be had without swapping: files in memory give way."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(n.split()[1]) * 1024 for n in lines if n.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: half of all there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _container_memory() -> int:
    """Return the bytes left under the control group's limit, without one more than there can be."""
    try:
        most, used = (Path(f"/sys/fs/cgroup/memory.{n}").read_text() for n in ("max", "current"))
        return int(most) - int(used)
    except (OSError, ValueError):  # no such group, or a limit of `max`
        return 1 << 62


def check_weights_fit(path: str, weights: int, dtype: str, free: int, device: str) -> None:
    """Return if `weights` bytes and a little to work with fit into `free` ones.

    Raises: EngineError with what is needed, what there is, and what would fit.
    """
    if weights * 1.05 <= free:
        return
    raise EngineError(
        f"{path}: its weights take {weights / 1e9:.1f} GB in {dtype}, and {device} has "
        f"{free / 1e9:.1f} GB free. What would fit: {'; '.join(_what_fits(weights, dtype, free))}."
    )


def out_of_memory(path: str, width: int, device: torch.device) -> EngineError:
    """Return the error of a device that cannot hold a single sample."""
    return EngineError(
        f"{path}: no memory on {device} for one sample of {width} tokens, prompt and answer; "
        f"{free_memory(device) / 1e9:.1f} GB are free. Set a smaller max_new_tokens, options: {{dtype: "
        "bfloat16}, or engine: vllm with tensor_parallel_size; or end what else uses the memory."
    )


def _what_fits(weights: int, dtype: str, free: int) -> list[str]:
    """Return the ways out, cheapest first."""
    numbers = weights / _BYTES.get(dtype, 2)
    found = []
    if dtype == "float32" and numbers * 2.1 <= free:
        found.append(f"options: {{dtype: bfloat16}}, {numbers * 2 / 1e9:.1f} GB")
    if numbers * 0.7 <= free:
        found.append(
            f"a copy of the model quantised to 4 bits, about {numbers * 0.65 / 1e9:.1f} GB"
        )
    gpus = ceil(numbers * 2 * 1.2 / free) if free else 8
    if gpus > 1:
        found.append(
            f"engine: vllm with options: {{tensor_parallel_size: {1 << (gpus - 1).bit_length()}}} "
            "on so many GPUs of this size"
        )
    found.append("options: {device: cpu}, slow, or engine: http for a server elsewhere")
    return found
