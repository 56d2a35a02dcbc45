"""Drawing next tokens, reproducibly per request and without sorting the whole vocabulary."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ste_plugin.engines.base import ChatRequest
from ste_plugin.engines.choice_likelihoods import likeliest

_FIRST_NUCLEUS_SIZE = 256


def draw(logits: Tensor, uniforms: Tensor, temperature: float, top_p: float) -> Tensor:
    """Return one token id per row.

    logits: (rows, vocabulary); uniforms: (rows,) in [0, 1), which alone decide the draw.
    Temperature 0 is greedy. top_p keeps the smallest set of tokens that holds that probability.
    """
    if temperature == 0:
        return logits.argmax(-1)
    logits = logits.float() / temperature
    if top_p >= 1:
        return _invert(torch.softmax(logits, -1), uniforms)
    probabilities, ids = _nucleus(logits, top_p)
    return ids.gather(-1, _invert(probabilities, uniforms)[:, None])[:, 0]


def draw_choice(request: ChatRequest, logits: Tensor) -> str:
    """Return the choice that answers a request, whose seed alone decides the draw.

    logits: (choices,), in their order. At temperature 0 the likeliest, see there.
    """
    temperature = request.sampling.temperature
    if temperature == 0:
        return likeliest(request, logits.tolist())
    uniform = uniforms([request.seed], 1)[:, 0]
    return request.choices[int(draw(logits[None], uniform, temperature, 1.0))]


def _nucleus(logits: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Return the nucleus' probabilities (0 outside) and ids, most probable first."""
    total = logits.logsumexp(-1, keepdim=True)
    size = min(_FIRST_NUCLEUS_SIZE, logits.shape[-1])
    while True:
        values, ids = logits.topk(size, -1)
        probabilities = (values - total).exp()
        cumulative = probabilities.cumsum(-1)
        # Where it does not hold top_p in every row, it is widened: the result stays exact.
        if size == logits.shape[-1] or bool((cumulative[:, -1] >= top_p).all()):
            inside = cumulative - probabilities < top_p
            return probabilities * inside, ids
        size = min(size * 8, logits.shape[-1])


def _invert(weights: Tensor, uniforms: Tensor) -> Tensor:
    """Return per row the first index whose cumulative weight exceeds that share of the total."""
    cumulative = weights.cumsum(-1)
    total = cumulative[:, -1]
    # Rounding could lift a uniform to 1, and the draw onto a token of no weight at the end.
    below = torch.nextafter(total, torch.zeros_like(total))
    target = torch.minimum(uniforms.to(weights) * total, below)
    return torch.searchsorted(cumulative, target[:, None], right=True)[:, 0]


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Return (seeds, count) uniform numbers in [0, 1): a row depends on its seed and nothing else.

    Philox, a counter-based generator, is keyed by all bits of a seed; torch's own takes 32 of them.
    """
    rows = [
        np.random.Generator(np.random.Philox(key=seed)).random(count, np.float32) for seed in seeds
    ]
    return torch.from_numpy(np.stack(rows))
