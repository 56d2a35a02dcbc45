"""How much GPU memory a training needs: sums of bytes, for GPUs of one size, in GB of 1e9 bytes.

What lies in memory for the whole training (weights, gradients, optimizer, adapter, reference) is
exact but for small tensors; activations, logits and headroom are estimates, and lean high.
"""

from dataclasses import astuple, dataclass, fields
from typing import Literal

from ste_plugin.fitting.model_shape import ModelShape

Sharding = Literal["none", "zero1", "zero2", "zero3", "fsdp"]

NF4 = 0.5 + 0.016
"""Bytes of a weight in 4 bits with double quantisation. Source: QLoRA, arXiv 2305.14314, section
3."""
SFT_LOGIT, PREFERENCE_LOGIT = 12, 16
"""Bytes per logit at the loss: half-precision logits and gradient, float32 copy and gradient.

Preference trainers of TRL keep the log-softmax, too, and see the reference's logits.
"""
EAGER_SCORE = 12
"""Bytes per score of eager attention: scores, probabilities in float32 as well, their gradients."""
HEADROOM = 0.1
"""Share of a GPU left free: CUDA context, communication buffers, fragmentation."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """GPUs of one size, that one training uses together."""

    nodes: int
    gpus: int
    """Per node."""
    gb: float
    """Memory of one GPU, in 1e9 bytes."""

    @property
    def count(self) -> int:
        """Return the number of GPUs."""
        return self.nodes * self.gpus

    def __str__(self) -> str:
        return f"{f'{self.nodes}x' if self.nodes > 1 else ''}{self.gpus}x{self.gb:g}"


@dataclass(frozen=True, slots=True)
class Training:
    """What of a recipe decides about memory."""

    tokens: int
    """Longest sequence, prompt and completion."""
    sequences: int = 1
    """Rows a step sees at once per GPU; a preference pair is two."""
    loss_tokens: int | None = None
    """Tokens per sequence whose logits are computed; None for all."""
    rank: int | None = None
    """The adapter's; None trains all weights."""
    targets: tuple[str, ...] | None = None
    """Linear maps that get an adapter; None for all."""
    parameters: tuple[str, ...] = ()
    """Experts' maps that get an adapter."""
    weight_bytes: float = 2
    quantised_experts: bool = False
    """Whether experts are loaded at `weight_bytes`, too; bitsandbytes knows linear maps alone."""
    compute_bytes: int = 2
    adam_bytes: float = 8
    """Optimizer state per trained parameter, without a float32 copy of it."""
    sharding: Sharding = "none"
    whole_gradients: bool = False
    """FSDP that accumulates: between its steps each GPU keeps gradients unsharded."""
    checkpointing: bool = True
    preference: bool = False
    fused_loss: bool = False
    """Whether the loss is computed piece by piece, so that all logits are never there at once."""
    eager_attention: bool = False
    """Whether attention writes a number for every pair of tokens."""
    reference: bool = False
    """Whether a second copy of the model is kept."""
    adapter_reference: bool = False
    """Whether a frozen copy of the adapter is kept."""
    offload_weights: bool = False
    offload_optimizer: bool = False
    generated: int = 0
    """Sequences that the model itself generates at once per GPU."""
    generated_tokens: int | None = None
    """Of each of them, its prompt included; None for `tokens`."""
    served_share: float = 0
    """Share of each GPU that an engine in the same process reserves."""


@dataclass(frozen=True, slots=True)
class Terms:
    """GB per GPU."""

    weights: float
    gradients: float
    optimizer: float
    adapter: float
    reference: float
    gathered: float
    activations: float
    logits: float
    generation: float
    headroom: float

    @property
    def total(self) -> float:
        """Return the sum."""
        return float(sum(astuple(self)))

    def named(self) -> dict[str, float]:
        """Return the terms that are not zero, by name."""
        found = {f.name: float(getattr(self, f.name)) for f in fields(self)}
        return {name: value for name, value in found.items() if value}


def needed(shape: ModelShape, training: Training, cluster: Cluster) -> Terms:
    """Return what one GPU must hold.

    Data parallel GPUs hold everything each, but for what is sharded: ZeRO-1 shards the optimizer,
    ZeRO-2 gradients as well, ZeRO-3 and FSDP weights as well (arXiv 1910.02054, section 5).
    """
    t = training
    sharded = t.sharding in ("zero3", "fsdp")
    weight_share = 1 / cluster.count if sharded else 1.0
    weights = weight_bytes(shape, t) * weight_share
    activations, logits = activation_bytes(shape, t), logit_bytes(shape, t)
    trained = trained_bytes(shape, t, cluster)
    full = t.rank is None
    terms = (
        0 if t.offload_weights else weights,
        trained[0] if full else 0,
        trained[1] if full else 0,
        0 if full else sum(trained) + _adapter(shape, t) * _trained_width(t) * weight_share,
        _reference_bytes(shape, t, weights),
        gathered_bytes(shape, t) if sharded else 0,
        activations,
        logits,
        generation_bytes(shape, t, cluster, activations + logits),
        HEADROOM * cluster.gb * 1e9,
    )
    return Terms(*(term / 1e9 for term in terms))


def _reference_bytes(shape: ModelShape, t: Training, weights: float) -> float:
    if t.reference:
        return weights
    return _adapter(shape, t) * _trained_width(t) if t.adapter_reference else 0


def weight_bytes(shape: ModelShape, training: Training) -> float:
    """Return the bytes of one copy of the weights; below 2 bytes only linear maps are quantised,
    and experts where that is asked for."""
    small = shape.linear_parameters
    small += shape.expert_parameters if training.quantised_experts else 0
    others = max(training.weight_bytes, 2)
    return small * training.weight_bytes + (shape.parameters - small) * others


def trained_bytes(shape: ModelShape, t: Training, cluster: Cluster) -> tuple[float, float]:
    """Return the bytes of gradients and of optimizer state on one GPU.

    DeepSpeed keeps a float32 copy of what is trained beside Adam's two states. Without DeepSpeed
    states have the weights' own width: float32 for adapters, as PEFT makes them. DDP keeps
    gradients a second time, in buckets (torch's `gradient_as_bucket_view` is off by default).
    """
    count = shape.parameters if t.rank is None else _adapter(shape, t)
    gradients: float = count * _trained_width(t)
    if t.sharding in ("zero2", "zero3", "fsdp") and not t.whole_gradients:
        gradients /= cluster.count
    elif t.sharding == "none" and cluster.count > 1:
        gradients *= 2
    state = t.adam_bytes + (4 if t.sharding.startswith("zero") else 0)
    optimizer = 0 if t.offload_optimizer else count * state
    return gradients, optimizer / (1 if t.sharding == "none" else cluster.count)


def _adapter(shape: ModelShape, t: Training) -> int:
    return shape.adapter_parameters(t.rank or 0, t.targets, t.parameters)


def _trained_width(t: Training) -> int:
    return 4 if t.rank is not None and not t.sharding.startswith("zero") else t.compute_bytes


def gathered_bytes(shape: ModelShape, t: Training) -> float:
    """Return what sharding gathers for use: this layer, the next, embedding and output layer.

    Training all weights adds the gradients of one layer and of these two, before they are reduced.
    """
    used = 2 * shape.layer_parameters + shape.embedding_parameters
    gradients = shape.layer_parameters + shape.embedding_parameters if t.rank is None else 0
    return (used + gradients) * t.compute_bytes


def activation_bytes(shape: ModelShape, t: Training) -> float:
    """Return the bytes of activations: each layer's input, and all of the layer being recomputed.

    A layer keeps 8 vectors of the hidden width per token, keys and values, and 4 of the inner
    width (the tensors of LlamaDecoderLayer.forward; attention itself keeps no matrix), and as much
    again as gradients. Each expert that a token passes keeps its input and output besides. Without
    checkpointing every layer keeps its own.
    """
    kept = 8 * shape.hidden + 2 * shape.kv_heads * shape.head_width + 4 * shape.inner_width
    kept += 2 * shape.experts.active * shape.hidden if shape.experts else 0
    layers = shape.layers
    vectors = layers * shape.hidden + 2 * kept if t.checkpointing else (layers + 1) * kept
    eager = EAGER_SCORE * shape.heads * t.tokens if t.eager_attention else 0
    eager *= 1 if t.checkpointing else layers
    return t.sequences * t.tokens * (vectors * t.compute_bytes + eager)


def logit_bytes(shape: ModelShape, t: Training) -> float:
    """Return the bytes that logits take at the loss, gradients included."""
    if t.fused_loss:
        return 0
    each = PREFERENCE_LOGIT if t.preference else SFT_LOGIT
    tokens = t.tokens if t.loss_tokens is None else t.loss_tokens
    return t.sequences * tokens * shape.vocabulary * each


def generation_bytes(shape: ModelShape, t: Training, cluster: Cluster, step: float) -> float:
    """Return what generation needs beyond the `step` bytes of a training step, which comes at
    another time.

    A token's keys and values take 2 x kv_heads x head_width numbers per layer; a layer whose
    attention slides keeps those of its window.
    """
    cache = shape.cached(t.generated_tokens or t.tokens) * t.compute_bytes
    return max(0.0, t.generated * cache - step) + t.served_share * cluster.gb * 1e9
