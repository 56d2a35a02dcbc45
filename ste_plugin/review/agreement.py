"""How far raters agree: people with each other, and a judge with them.

For categories without an order, as better, worse and tie, and with ratings missing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ste_plugin.records import Record
from ste_plugin.review.coefficients import (
    Array,
    Coefficient,
    Row,
    ac1,
    ac1_sums,
    alpha,
    alpha_sums,
    coefficient,
    kappa,
    kappa_sums,
)
from ste_plugin.review.rates import Case, Estimate, rate_of

NO_OVERLAP = "no item has two ratings"


class Rating(NamedTuple):
    """One category that one rater gave to one item."""

    rater: str
    item: str
    category: str
    cluster: str = ""
    """The item's prompt, by which it is resampled; by default the item itself."""
    weight: float = 1.0
    """How many items this one stands for."""


class Agreement(Record, frozen=True):
    """How far some raters agree."""

    items: int
    """With two ratings or more; the others say nothing of agreement."""
    prompts: int
    """Of these items."""
    ratings: int
    """Of these items."""
    raw: Estimate
    """How often two ratings of one item are the same."""
    kappa: Coefficient | None
    """Cohen's, for two raters; None for more."""
    ac1: Coefficient
    """Gwet's."""
    alpha: Coefficient
    """Krippendorff's, nominal."""


@dataclass(frozen=True, slots=True)
class _Case:
    """Ratings of one item that are held against each other."""

    item: str
    cluster: str
    weight: float
    given: tuple[int | None, ...]
    """A category per rater, in the order of the raters."""

    def counts(self, categories: int) -> Array:
        return np.array([self.given.count(c) for c in range(categories)], dtype=float)

    @property
    def is_paired(self) -> bool:
        return sum(c is not None for c in self.given) >= 2


def agreement(ratings: Iterable[Rating], categories: Sequence[str] = ()) -> Agreement:
    """Return how far all raters agree; kappa only where there are two of them.

    Of a rater's several ratings of an item the last one counts. `categories` are those that could
    be given, where some never were; AC1 alone depends on them.
    """
    by_item: dict[str, dict[str, Rating]] = defaultdict(dict)
    for rating in ratings:
        by_item[rating.item][rating.rater] = rating
    raters = sorted({rater for given in by_item.values() for rater in given})
    known = _numbered(categories, (r for given in by_item.values() for r in given.values()))
    cases = [
        _case(next(iter(given.values())), tuple(_number(known, given.get(r)) for r in raters))
        for given in by_item.values()
    ]
    return _agreement(cases, len(raters), len(known))


def pairwise(
    ratings: Iterable[Rating], categories: Sequence[str] = ()
) -> dict[tuple[str, str], Agreement]:
    """Return two raters → how far they agree, of all that there are."""
    by_rater: dict[str, list[Rating]] = defaultdict(list)
    for rating in ratings:
        by_rater[rating.rater].append(rating)
    known = list(_numbered(categories, (r for given in by_rater.values() for r in given)))
    return {
        (a, b): agreement([*by_rater[a], *by_rater[b]], known)
        for a, b in combinations(sorted(by_rater), 2)
    }


def agreement_with(
    judged: Mapping[str, str], ratings: Iterable[Rating], categories: Sequence[str] = ()
) -> Agreement:
    """Return how far a judge agrees with a person, whoever that is; `judged` is item → category.

    Every rating of an item that was judged is held against the judge's, and those of one item share
    its weight. As such it can be set beside how far two people agree.
    """
    last = {(r.item, r.rater): r for r in ratings if r.item in judged}
    by_item: dict[str, list[Rating]] = defaultdict(list)
    for rating in last.values():
        by_item[rating.item].append(rating)
    judges = [Rating("", item, judged[item]) for item in by_item]
    known = _numbered(categories, [*judges, *last.values()])
    cases = [
        _case(
            rating._replace(weight=rating.weight / len(by_item[rating.item])),
            (known[judged[rating.item]], known[rating.category]),
        )
        for rating in last.values()
    ]
    return _agreement(cases, 2, len(known))


def _case(rating: Rating, given: tuple[int | None, ...]) -> _Case:
    return _Case(rating.item, rating.cluster or rating.item, rating.weight, given)


def _numbered(categories: Iterable[str], ratings: Iterable[Rating]) -> dict[str, int]:
    """Return category → its number."""
    names = sorted({*categories, *(rating.category for rating in ratings)})
    return {name: number for number, name in enumerate(names)}


def _number(known: Mapping[str, int], rating: Rating | None) -> int | None:
    return None if rating is None else known[rating.category]


def _agreement(cases: Sequence[_Case], raters: int, categories: int) -> Agreement:
    paired = [case for case in cases if case.is_paired]
    counts = [case.counts(categories) for case in paired]
    raw = rate_of(
        Case(case.cluster, _same(given), case.weight)
        for case, given in zip(paired, counts, strict=True)
    )
    if not paired:
        raw = Estimate(None, None, NO_OVERLAP)
    kappas = [_confusion(case, categories) for case in paired] if raters == 2 else []
    every = [ac1_sums(case.counts(categories)) for case in cases]
    return Agreement(
        items=len({case.item for case in paired}),
        prompts=len({case.cluster for case in paired}),
        ratings=int(sum(given.sum() for given in counts)),
        raw=raw,
        kappa=coefficient(_rows(paired, kappas), kappa, raw) if raters == 2 else None,
        ac1=coefficient(_rows(cases, every), ac1, raw),
        alpha=coefficient(_rows(paired, list(map(alpha_sums, counts))), alpha, raw),
    )


def _confusion(case: _Case, categories: int) -> Array:
    first, second = (number for number in case.given if number is not None)
    return kappa_sums(first, second, categories)


def _rows(cases: Sequence[_Case], sums: Sequence[Array]) -> list[Row]:
    return [Row(case.cluster, case.weight, added) for case, added in zip(cases, sums, strict=True)]


def _same(counts: Array) -> float:
    """Return the share of the pairs of an item's ratings that are the same."""
    n = counts.sum()
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))
