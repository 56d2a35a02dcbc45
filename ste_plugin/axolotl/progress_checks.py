"""Is it a training at all: batches before the first step, and after the last weights that moved."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ste_plugin.errors import ConfigError, DataError, HostError

_SAMPLED = 4096
"""Numbers of each weight that are compared, evenly spread."""

CHECKED = ("moved", "finite", "unrewarded")
"""What `check_trained` looks at alone: a judge that was made has nothing to say of it."""

Sample = dict[str, Any]
"""Name of a trained weight → some of its numbers, on the CPU."""


def check_batches(dataloader: Any, args: Any, rows: int | None) -> None:
    """Return if there is a batch to train on. Raises: DataError with the counts and the keys."""
    try:
        batches = len(dataloader)
    except TypeError:  # a stream
        return
    if batches:
        return
    packs = count_packs(dataloader)
    what = f"{packs} pack(s) of {rows} rows" if packs is not None else f"{rows} rows"
    raise DataError(
        f"{what} make no batch: micro_batch_size {args.per_device_train_batch_size}, "
        f"gradient_accumulation_steps {args.gradient_accumulation_steps}, {args.world_size} "
        "process(es), one per GPU; training would end at step 0. Set micro_batch_size: 1, "
        "sample_packing: false or a shorter sequence_len, train on fewer GPUs, or generate more "
        "rows."
    )


def check_trainable(model: Any) -> None:
    """Raise ConfigError where no weight of a model is trained."""
    if not any(True for _ in trained_weights(model)):
        raise ConfigError(
            "No weight would be trained: all are frozen. Correct unfrozen_parameters, whose "
            "patterns match the names of none, or remove the key."
        )


def count_rows(trainer: Any) -> int | None:
    """Return how many rows are trained on, or None for a stream."""
    try:
        return len(trainer.train_dataset)
    except TypeError:
        return None


def count_packs(dataloader: Any) -> int | None:
    """Return how many packs axolotl makes of the rows, or None where it packs none."""
    sampler = getattr(dataloader, "batch_sampler", None)
    while sampler is not None and not hasattr(sampler, "generate_batches"):
        sampler = getattr(sampler, "batch_sampler", None)
    if sampler is None:
        return None
    sampler.drop_last, sampler._batches = False, None
    return sum(map(len, sampler.generate_batches()))


def sample_weights(model: Any) -> Sample:
    """Return some numbers of each weight that is trained, of this process's share of it."""
    samples = {name: _sample(weight) for name, weight in trained_weights(model)}
    return {name: sample for name, sample in samples.items() if sample is not None}


def trained_weights(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names and weights that are trained."""
    return ((name, w) for name, w in model.named_parameters() if w.requires_grad)


def _sample(weight: Any) -> Any:
    """Return some numbers of a weight's share here, or None where DeepSpeed keeps it on a disk."""
    local = getattr(weight, "ds_tensor", None)
    if getattr(getattr(local, "status", None), "name", "AVAILABLE") != "AVAILABLE":
        return None
    if local is None:
        local = weight.to_local() if hasattr(weight, "to_local") else weight
    numbers = local.detach().flatten()
    return numbers[:: max(1, numbers.numel() // _SAMPLED)].to("cpu", copy=True)


def has_moved(before: Sample, after: Sample) -> bool:
    """Return whether any number is another than before, or none could be looked at."""
    pairs = [(before[name], after[name]) for name in before.keys() & after.keys()]
    return not sum(b.numel() for b, _ in pairs) or any(not torch.equal(b, a) for b, a in pairs)


def is_finite(sample: Sample) -> bool:
    """Return whether no number is NaN or infinite."""
    return all(bool(torch.isfinite(numbers.float()).all()) for numbers in sample.values())


def check_trained(ended: Mapping[str, Any]) -> None:
    """Return if a training that ended made a judge.

    `ended`: its `steps` and `train_loss`, whether weights `moved` and are `finite`, and of a
    training by reward what is wrong with these (`unrewarded`).
    Raises: HostError where it took no step, diverged, or changed nothing for a reason.
    """
    steps, loss = ended["steps"], ended["train_loss"]
    if not steps:
        problem = (
            "it took no step. Lower micro_batch_size or the number of GPUs, set sample_packing: "
            "false, or generate more rows"
        )
    elif not ended["finite"] or (loss is not None and not math.isfinite(loss)):
        problem = (
            f"it diverged: its loss or weights are not finite (train_loss {loss}). Lower "
            "learning_rate, set max_grad_norm: 1.0, or train in bf16 rather than fp16"
        )
    elif ended.get("unrewarded"):
        problem = ended["unrewarded"]
    elif not ended["moved"]:
        problem = (
            f"after {steps} step(s) all trained weights are as they were. Set a higher "
            "learning_rate, more steps than the warm-up has (warmup_steps: 0), or train what is "
            "frozen (unfrozen_parameters)"
        )
    else:
        return
    raise HostError(f"This training made no judge, and trained.json is not written: {problem}.")
