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
    """The subset of the pair. Prompts of the same subsets are resampled among themselves."""
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

    Prompts are drawn with replacement within their stratum, with all their pairs: see `strata_of`.
    The order of the terms does not matter.
    """
    import numpy as np

    known = sorted(MetricTerm(*t) for t in terms if t)
    parts = {part: i for i, part in enumerate(dict.fromkeys(t.part for t in known))}
    rows: dict[str, list[float]] = {}
    for t in known:
        row = rows.setdefault(t.prompt_key, [0.0] * 2 * len(parts))
        row[parts[t.part]] += t.numerator
        row[parts[t.part] + len(parts)] += t.denominator
    if len(rows) < 2:
        return None
    sums = np.zeros((RESAMPLES, 2 * len(parts)))
    for stratum, prompts in strata_of(known).items():
        sums += resampled_sums(seed, stratum, np.array([rows[prompt] for prompt in prompts]))
    quotients = sums[:, : len(parts)] / sums[:, len(parts) :]
    figures: np.ndarray[Any, Any] = quotients.mean(axis=1)
    return figures


def strata_of(terms: Iterable[MetricTerm]) -> dict[str, list[str]]:
    """Return name → prompts of each stratum: those that occur in the same subsets.

    A prompt that several subsets share is then drawn once for all of them. Strata of a single
    prompt, which could not vary, make up one stratum together (of the parts that they add to).
    """
    subsets: dict[str, set[str]] = {}
    parts: dict[str, set[str]] = {}
    for t in terms:
        subsets.setdefault(t.prompt_key, set()).add(t.stratum)
        parts.setdefault(t.prompt_key, set()).add(t.part)
    strata: dict[str, list[str]] = {}
    for prompt, names in subsets.items():
        strata.setdefault("\n".join(sorted(names)), []).append(prompt)
    for name in [name for name, prompts in strata.items() if len(prompts) == 1]:
        (prompt,) = strata.pop(name)
        others = "\n".join(f"{part}/" for part in sorted(parts[prompt]))
        strata.setdefault(others, []).append(prompt)
    return strata


def resampled_sums(seed: int, stratum: str, rows: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return a stratum's sums in each resample: from prompts × columns to resamples × columns.

    Of n prompts n − 1 are drawn, which count n / (n − 1) times: as many as n would vary too little,
    by half of two prompts.
    Source: Rao & Wu 1988, Resampling inference with complex survey data.
    """
    import numpy as np

    n = len(rows)
    if n == 1:
        return np.repeat(rows, RESAMPLES, axis=0)
    counts = _drawn(seed, stratum, n)
    firsts = range(0, RESAMPLES, _ROWS_AT_ONCE)
    sums = [counts[first : first + _ROWS_AT_ONCE] @ rows for first in firsts]
    scaled: np.ndarray[Any, Any] = np.concatenate(sums) * n / (n - 1)
    return scaled


@lru_cache(maxsize=128)
def _drawn(seed: int, stratum: str, prompts: int) -> "np.ndarray[Any, Any]":
    """Return how often each prompt of a stratum is drawn: resamples × prompts."""
    import numpy as np

    generator = np.random.default_rng([seed, int(content_key(stratum), 16)])
    counts = np.empty((RESAMPLES, prompts), dtype=np.uint16)
    offsets = np.arange(_ROWS_AT_ONCE)[:, None] * prompts
    for first in range(0, RESAMPLES, _ROWS_AT_ONCE):
        drawn = generator.integers(0, prompts, size=(_ROWS_AT_ONCE, prompts - 1)) + offsets
        times = np.bincount(drawn.ravel(), minlength=_ROWS_AT_ONCE * prompts)
        counts[first : first + _ROWS_AT_ONCE] = times.reshape(_ROWS_AT_ONCE, prompts)
    return counts
