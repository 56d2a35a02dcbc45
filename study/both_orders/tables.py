"""The tables of both ways, with intervals over prompts and random seeds."""

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np

from docs.generate.markdown import table
from study.both_orders import WAYS
from study.both_orders.promises import Kept
from study.both_orders.results import (
    Figure,
    Margins,
    Result,
    accuracy,
    both_right,
    brier_as_told,
    error_as_it_says,
    error_as_told,
    flips,
)

FIGURES: dict[str, Figure] = {
    "accuracy": accuracy,
    "right in both orders": both_right,
    "flips": flips,
    "ECE": error_as_it_says,
    "ECE, calibrated": error_as_told,
    "Brier score, calibrated": brier_as_told,
}
RATIOS = ("flips", "ECE, calibrated", "Brier score, calibrated")
"""Of which is said how many times those of single orders they are."""
RESAMPLES = 400


def compared(results: Sequence[Result]) -> str:
    """Return a Markdown table: a set and figure a row, both ways and their ratio."""
    head = ("set", "pairs", "figure", *WAYS, "ratio (95% interval)")
    return table(head, _rows(results))


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    for name in dict.fromkeys(each.set for each in results):
        of_ways = [
            [each for each in results if (each.set, each.way) == (name, way)] for way in WAYS
        ]
        pairs = str(len(next(filter(None, of_ways))[0].margins))
        for title, figure in FIGURES.items():
            cells = [_told([figure(r.margins, r.temperature) for r in found]) for found in of_ways]
            ratio = (
                _ratio(of_ways[0], of_ways[1], figure) if title in RATIOS and all(of_ways) else ""
            )
            yield (name, pairs, title, *cells, ratio)


def _told(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return f"{fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _ratio(both: Sequence[Result], single: Sequence[Result], figure: Figure) -> str:
    """Return how many times a figure of single orders that of both orders is.

    The interval draws random seeds and, within the set, prompts anew.
    """
    draw, found = np.random.default_rng(0), []
    prompts = sorted({key for key, *_ in both[0].margins})
    for _ in range(RESAMPLES):
        drawn = [prompts[i] for i in draw.integers(0, len(prompts), len(prompts))]
        means = []
        for way in (both, single):
            judges = [way[i] for i in draw.integers(0, len(way), len(way))]
            means.append(fmean(figure(_of(j.margins, drawn), j.temperature) for j in judges))
        found.append(means[0] / means[1] if means[1] else float("inf"))
    low, high = np.quantile(found, (0.025, 0.975), method="nearest")
    ours, theirs = (fmean(figure(r.margins, r.temperature) for r in w) for w in (both, single))
    times = f"{ours / theirs:.2f}" if theirs else "–"
    return f"{times} ({low:.2f} to {high:.2f})"


def _of(margins: Sequence[Margins], prompts: Sequence[str]) -> list[Margins]:
    """Return the pairs of prompts that were drawn, as often as each was."""
    of_prompt: dict[str, list[Margins]] = {}
    for each in margins:
        of_prompt.setdefault(each[0], []).append(each)
    return [each for key in prompts for each in of_prompt[key]]


def promised(kept: Sequence[Kept]) -> str:
    """Return a Markdown table of promises that were held against other halves of their pairs."""
    head = (
        *("set", "promised error", "splits", "with a promise", "kept", "broken"),
        *("answered", "realised error"),
    )
    return table(head, map(_promise, kept))


def _promise(kept: Kept) -> tuple[str, ...]:
    made = len(kept.realised)
    broken = sum(error > kept.error for error in kept.realised)
    shares = (f"{fmean(values):.3f}" if made else "–" for values in (kept.answered, kept.realised))
    counts = (str(n) for n in (kept.splits, made, kept.splits - broken, broken))
    return (kept.set, f"{kept.error:g}", *counts, *shares)
