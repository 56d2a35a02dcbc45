"""The sizes of a model, and its parameters, counted exactly."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Experts:
    """The experts of a mixture's layers: fused into one parameter per map, as transformers does."""

    count: int
    active: int
    """Per token."""
    width: int
    layers: int
    """How many of the model's layers have them; the others are dense."""
    shared: int = 0
    """Inner width of an expert that every token passes."""
    bias: bool = False
    unfused: tuple[str, ...] = ()
    """Names of an expert's gate, up and down maps before they were fused: PEFT reads them still."""

    def maps(self, hidden: int) -> dict[str, tuple[int, int]]:
        """Return (inputs, outputs) of each map of one expert, by its name."""
        return {"gate_up_proj": (hidden, 2 * self.width), "down_proj": (self.width, hidden)}

    def weights(self, hidden: int) -> int:
        """Return the number of one layer's experts' weights, biases left out."""
        return self.count * sum(n * m for n, m in self.maps(hidden).values())

    def others(self, hidden: int) -> int:
        """Return the number of one layer's biases, router and gate of the shared expert."""
        biases = self.count * (2 * self.width + hidden + 1) if self.bias else 0
        return biases + self.count * hidden + (hidden if self.shared else 0)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of a decoder, named as in transformers' config.json."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    vocabulary: int
    tied: bool = False
    """Whether the output layer shares the embedding's weights."""
    qkv_bias: bool = False
    qk_norm: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    norms: int = 2
    """Of the hidden width, per layer."""
    sinks: bool = False
    """Whether each head has a number that attention may go to instead."""
    fused: bool = False
    """Whether q, k and v are one map, and gate and up another."""
    experts: Experts | None = None
    window: int = 0
    """Tokens that attention looks back in `window_layers`."""
    window_layers: int = 0
    vision: int = 0
    """Parameters outside the decoder: a vision tower and its projector."""

    @property
    def attention(self) -> dict[str, tuple[int, int]]:
        """Return (inputs, outputs) of each linear map of one layer's attention, by its name."""
        q, kv, h = self.heads * self.head_width, self.kv_heads * self.head_width, self.hidden
        if self.fused:
            return {"qkv_proj": (h, q + 2 * kv), "o_proj": (q, h)}
        return {"q_proj": (h, q), "k_proj": (h, kv), "v_proj": (h, kv), "o_proj": (q, h)}

    def mlp(self, width: int) -> dict[str, tuple[int, int]]:
        """Return (inputs, outputs) of each linear map of a gated MLP, by its name."""
        h = self.hidden
        if self.fused:
            return {"gate_up_proj": (h, 2 * width), "down_proj": (width, h)}
        return {"gate_proj": (h, width), "up_proj": (h, width), "down_proj": (width, h)}

    @property
    def linears(self) -> list[tuple[str, int, int]]:
        """Return (name, inputs, outputs) of each linear map of all layers."""
        mixed = self.experts.layers if self.experts else 0
        shared = self.experts.shared if self.experts else 0
        kinds = [(self.layers, self.attention), (self.layers - mixed, self.mlp(self.intermediate))]
        if shared:
            gate = {"shared_expert_gate": (self.hidden, 1)}
            kinds.append((mixed, self.mlp(shared) | gate))
        return [
            (name, n, m)
            for times, maps in kinds
            for name, (n, m) in maps.items()
            for _ in range(times)
        ]

    @property
    def linear_parameters(self) -> int:
        """Return the number of weights of all linear maps: what 4-bit loading quantises."""
        return sum(n * m for _, n, m in self.linears)

    @property
    def expert_parameters(self) -> int:
        """Return the number of weights of all layers' experts, which 4-bit loading leaves alone."""
        return self.experts.layers * self.experts.weights(self.hidden) if self.experts else 0

    def _layer(self, mixed: bool) -> int:
        q, kv, h = self.heads * self.head_width, self.kv_heads * self.head_width, self.hidden
        count = sum(n * m for n, m in self.attention.values())
        count += (q + 2 * kv) * self.qkv_bias + h * self.o_bias + self.heads * self.sinks
        count += self.norms * h + 2 * self.head_width * self.qk_norm
        if mixed and (e := self.experts):
            shared = sum(n * m for n, m in self.mlp(e.shared).values())
            return count + e.weights(h) + e.others(h) + shared
        i = self.intermediate
        return count + sum(n * m for n, m in self.mlp(i).values()) + (2 * i + h) * self.mlp_bias

    @property
    def layer_parameters(self) -> int:
        """Return the number of parameters of one layer, of the largest kind."""
        return self._layer(self.experts is not None and self.experts.layers > 0)

    @property
    def embedding_parameters(self) -> int:
        """Return the number of parameters of embedding and output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """Return the number of parameters, as the model itself would count them."""
        mixed = self.experts.layers if self.experts else 0
        layers = mixed * self._layer(True) + (self.layers - mixed) * self._layer(False)
        return layers + self.embedding_parameters + self.hidden + self.vision

    @property
    def active_parameters(self) -> int:
        """Return the number of parameters that a token passes."""
        if not (e := self.experts):
            return self.parameters
        biases = (2 * e.width + self.hidden) * e.bias
        each = e.weights(self.hidden) // e.count + biases
        return self.parameters - e.layers * (e.count - e.active) * each

    @property
    def inner_width(self) -> int:
        """Return the width of the MLP that a token passes, experts added up."""
        if not (e := self.experts):
            return self.intermediate
        dense = self.intermediate if e.layers < self.layers else 0
        return max(dense, e.active * e.width + e.shared)

    def cached(self, tokens: int) -> int:
        """Return how many keys and values a sequence of so many tokens keeps, over all layers."""
        full = self.layers - self.window_layers
        numbers = full * tokens + self.window_layers * min(tokens, self.window)
        return 2 * numbers * self.kv_heads * self.head_width

    def adapter_parameters(
        self, rank: int, targets: Collection[str] | None = None, parameters: Collection[str] = ()
    ) -> int:
        """Return LoRA's parameters: rank x (inputs + outputs) of each adapted map.

        `targets` are names of linear maps, all where None; `parameters` are names of experts' maps,
        such as `mlp.experts.down_proj`, whose every expert gets an adapter. Targets that were maps
        of experts before they were fused mean these alone, gate and up with twice the rank, as PEFT
        takes them.
        """
        names = {name for name, _, _ in self.linears} if targets is None else set(targets)
        ranks = {name.rpartition(".")[2]: 1 for name in parameters if ".experts." in f".{name}"}
        if self.experts and (unfused := self.experts.unfused):
            ranks |= {"gate_up_proj": 2} if names & {*unfused[:2]} else {}
            ranks |= {"down_proj": 1} if unfused[2] in names else {}
            names -= {*unfused}
        chosen = [n + m for name, n, m in self.linears if name in names]
        if e := self.experts:
            maps = e.maps(self.hidden).items()
            chosen += [e.count * e.layers * ranks.get(k, 0) * (n + m) for k, (n, m) in maps]
        return rank * sum(chosen)


LLAMA = {
    1: ModelShape(2048, 8192, 16, 32, 8, 64, 128256, tied=True),
    3: ModelShape(3072, 8192, 28, 24, 8, 128, 128256, tied=True),
    8: ModelShape(4096, 14336, 32, 32, 8, 128, 128256),
    70: ModelShape(8192, 28672, 80, 64, 8, 128, 128256),
    405: ModelShape(16384, 53248, 126, 128, 8, 128, 128256),
}
"""Llama 3.1 and 3.2 by the size in their names. Source: their config.json."""
