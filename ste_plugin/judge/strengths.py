"""How strong answers are by comparisons of them: Bradley-Terry, fitted with its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PRIOR_SD = 2.0
"""Of the log-odds, before anything was compared: 95 % of them lie within ±4, odds of 50 to 1."""
_DRAWS = 4000
_STEPS, _SMALL = 100, 1e-9
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Strengths:
    """Strengths of n answers, in log-odds, 0 on average."""

    scores: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    """95 %, as if each comparison were one independent vote."""
    best: tuple[float, ...]
    """Per answer: the chance that it is the strongest; adds up to 1."""


def fit_strengths(n: int, told: Sequence[tuple[int, int, float]]) -> Strengths:
    """Return the likeliest strengths of n answers, given comparisons `(a, b, chance that a wins)`.

    A normal prior keeps an answer that won every time finite, and one that was never compared at 0.
    The likelihood is that of the Bradley-Terry model, a share counting as a share of a vote;
    uncertainty is the normal approximation around its maximum.
    """
    import numpy as np

    scores = np.zeros(n)
    first, second = (np.array([each[i] for each in told], dtype=int) for i in (0, 1))
    shares = np.array([share for *_, share in told])
    for _ in range(_STEPS):
        gradient, curvature = _slopes(scores, first, second, shares)
        step = np.linalg.solve(curvature, gradient)
        largest = float(np.abs(step).max(initial=0.0))
        scores += step / max(1.0, largest)  # at most 1 at once
        if largest < _SMALL:
            break
    scores -= scores.mean()
    _, curvature = _slopes(scores, first, second, shares)
    centre = np.eye(n) - 1 / n
    covariance = centre @ np.linalg.inv(curvature) @ centre
    spread = _Z * np.sqrt(np.clip(np.diag(covariance), 0, None))
    bounds = zip((scores - spread).tolist(), (scores + spread).tolist(), strict=True)
    return Strengths(tuple(scores.tolist()), tuple(bounds), _chances_of_best(scores, covariance))


def _slopes(scores: Any, first: Any, second: Any, shares: Any) -> tuple[Any, Any]:
    """Return the gradient of the log-posterior, and its negative second derivative.

    scores: (n,); first, second, shares: (comparisons,); returns (n,) and (n, n).
    """
    import numpy as np

    precision = PRIOR_SD**-2
    gradient, curvature = -precision * scores, precision * np.eye(len(scores))
    expected = 1 / (1 + np.exp(scores[second] - scores[first]))
    np.add.at(gradient, first, shares - expected)
    np.add.at(gradient, second, expected - shares)
    weights = expected * (1 - expected)
    for here, there, sign in ((first, first, 1), (second, second, 1), (first, second, -1)):
        np.add.at(curvature, (here, there), sign * weights)
    np.add.at(curvature, (second, first), -weights)
    return gradient, curvature


def _chances_of_best(scores: Any, covariance: Any) -> tuple[float, ...]:
    """Return how often each is the highest among draws of all; the same draws every time."""
    import numpy as np

    draws = np.random.default_rng(0).multivariate_normal(
        scores, covariance, _DRAWS, check_valid="ignore"
    )
    counts = np.bincount(draws.argmax(axis=1), minlength=len(scores))
    return tuple(float(count) / _DRAWS for count in counts)
