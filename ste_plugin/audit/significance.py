"""How likely chance alone makes figures so large, corrected for how many are looked at."""

from collections.abc import Sequence
from math import comb
from typing import Literal

from ste_plugin.records import content_key

LEVEL = 0.05
"""Of corrected p-values: how likely anything at all is found where there is nothing."""
_RESAMPLES, _EXACT = 20_000, 14
_ROWS_AT_ONCE = 2000


def sign_flip_p(sums: Sequence[float], test: Literal["more", "either"], seed: int) -> float:
    """Return how often the sum is as large, or as far from 0, where each sign is a coin's.

    All signs are gone through of few prompts; of more, 20,000 draws by the seed.
    """
    import numpy as np

    moved = np.array([s for s in sums if s], dtype=float)
    if not len(moved):
        return 1.0
    observed = moved.sum()
    if len(moved) <= _EXACT:
        bits = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1
        drawn = (2.0 * bits - 1) @ moved
        return _share(drawn, observed, test, 0)
    # of as many as are as large, how many are turned one way is all that counts
    sizes, counts = np.unique(np.round(np.abs(moved), 9), return_counts=True)
    generator = np.random.default_rng([seed, int(content_key("sign flips")[:8], 16)])
    parts = [
        (2.0 * generator.binomial(counts, 0.5, (_ROWS_AT_ONCE, len(counts))) - counts) @ sizes
        for _ in range(_RESAMPLES // _ROWS_AT_ONCE)
    ]
    return _share(np.concatenate(parts), observed, test, 1)


def _share(drawn: "object", observed: float, test: str, added: int) -> float:
    import numpy as np

    sums = np.asarray(drawn)
    as_far = np.abs(sums) >= abs(observed) - 1e-9 if test == "either" else sums >= observed - 1e-9
    return float((as_far.sum() + added) / (len(sums) + added))


def binomial_tail(hits: int, n: int, rate: float) -> float:
    """Return how likely at least so many of n are, each with the probability `rate`.

    >>> round(binomial_tail(2, 2, 0.5), 3)
    0.25
    """
    return sum(comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(hits, n + 1))
