"""How likely chance alone makes figures so large, corrected for how many are looked at."""

from math import comb

LEVEL = 0.05
"""Of corrected p-values: how likely anything at all is found where there is nothing."""


def binomial_tail(hits: int, n: int, rate: float) -> float:
    """Return how likely at least so many of n are, each with the probability `rate`.

    >>> round(binomial_tail(2, 2, 0.5), 3)
    0.25
    """
    return sum(comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(hits, n + 1))
