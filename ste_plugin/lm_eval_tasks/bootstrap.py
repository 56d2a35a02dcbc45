"""A figure from what every pair adds to it, and its standard error by stratified bootstrap.

lm-eval and results.json both come here, so their figures are the same to the last digit.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple

from ste_plugin.records import content_key

if TYPE_CHECKING:
    import numpy as np

RESAMPLES, _ROWS_AT_ONCE = 1000, 50


class MetricTerm(NamedTuple):
    """What one pair adds to a figure. Where it adds nothing, there is an empty tuple instead."""

    part: str
    """A figure is the plain mean of its parts, which are quotients of two sums."""
    stratum: str
    """Prompts are resampled within it: a subset, the same share of which is in every resample."""
    prompt_key: str
    """Pairs of one prompt are resampled together, since their outcomes hang together."""
    numerator: float
    denominator: float


@lru_cache(maxsize=4096)
def prompt_key(prompt: str) -> str:
    """Return a short key of a prompt, the same for prompts that differ in blanks alone."""
    return content_key(" ".join(prompt.split()))


def value_of(terms: Iterable[Sequence[Any]]) -> float | None:
    """Return a figure from its terms, or None where no pair adds to it."""
    parts: dict[str, list[MetricTerm]] = {}
    for term in (MetricTerm(*t) for t in terms if t):
        parts.setdefault(term.part, []).append(term)
    quotients = [
        fsum(t.numerator for t in p) / fsum(t.denominator for t in p) for p in parts.values()
    ]
    return fsum(quotients) / len(quotients) if quotients else None


def error_of(terms: Iterable[Sequence[Any]], seed: int = 0) -> float | None:
    """Return a figure's standard error, or None below two prompts."""
    resamples = estimates(terms, seed)
    return None if resamples is None else rounded(float(resamples.std(ddof=1)))


def rounded(value: float) -> float:
    """Return ten digits: the order in which a linear algebra library sums shows only after them."""
    return float(f"{value:.10g}")


def estimates(terms: Iterable[Sequence[Any]], seed: int = 0) -> "np.ndarray[Any, Any] | None":
    """Return the figure in each of 1,000 bootstrap resamples, or None below two prompts.

    Prompts are drawn with replacement within their stratum; strata of a single prompt make up one
    stratum together. The order of the terms does not matter.
    """
    import numpy as np

    known = sorted(MetricTerm(*t) for t in terms if t)
    parts = {part: i for i, part in enumerate(dict.fromkeys(t.part for t in known))}
    strata: dict[str, dict[str, list[float]]] = {}
    for t in pooled(known):
        row = strata.setdefault(t.stratum, {}).setdefault(t.prompt_key, [0.0] * 2 * len(parts))
        row[parts[t.part]] += t.numerator
        row[parts[t.part] + len(parts)] += t.denominator
    if sum(map(len, strata.values())) < 2:
        return None
    sums = np.zeros((RESAMPLES, 2 * len(parts)))
    for stratum, rows in strata.items():
        counts, added = resampled(seed, stratum, len(rows)), np.array(list(rows.values()))
        for first in range(0, RESAMPLES, _ROWS_AT_ONCE):
            sums[first : first + _ROWS_AT_ONCE] += counts[first : first + _ROWS_AT_ONCE] @ added
    quotients = sums[:, : len(parts)] / sums[:, len(parts) :]
    figures: np.ndarray[Any, Any] = quotients.mean(axis=1)
    return figures


def pooled(terms: Sequence[MetricTerm]) -> list[MetricTerm]:
    """Return the terms, those of strata with a single prompt in one stratum (of their part)."""
    prompts: dict[str, set[str]] = {}
    for t in terms:
        prompts.setdefault(t.stratum, set()).add(t.prompt_key)
    return [_with_others(t) if len(prompts[t.stratum]) == 1 else t for t in terms]


def _with_others(t: MetricTerm) -> MetricTerm:
    # the key says which stratum it was, so that prompts of several such strata stay several
    return t._replace(stratum=f"{t.part}/", prompt_key=f"{t.stratum}/{t.prompt_key}")


@lru_cache(maxsize=128)
def resampled(seed: int, stratum: str, prompts: int) -> "np.ndarray[Any, Any]":
    """Return how often each prompt of a stratum is drawn: resamples × prompts."""
    import numpy as np

    generator = np.random.default_rng([seed, int(content_key(stratum), 16)])
    counts = np.empty((RESAMPLES, prompts), dtype=np.uint16)
    offsets = np.arange(_ROWS_AT_ONCE)[:, None] * prompts
    for first in range(0, RESAMPLES, _ROWS_AT_ONCE):
        drawn = generator.integers(0, prompts, size=(_ROWS_AT_ONCE, prompts)) + offsets
        times = np.bincount(drawn.ravel(), minlength=_ROWS_AT_ONCE * prompts)
        counts[first : first + _ROWS_AT_ONCE] = times.reshape(_ROWS_AT_ONCE, prompts)
    return counts
