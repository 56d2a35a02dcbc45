"""Every probe of one or several judges: what each pair adds, and the table of all figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ste_plugin.audit.probes.figures import Measured, Values, difference, measured
from ste_plugin.audit.probes.probe import Arm, BiasProbe, Sides
from ste_plugin.audit.significance import LEVEL
from ste_plugin.evaluation.paired_test import holm
from ste_plugin.records import ResponsePair

Ask = Callable[[Sequence[Arm]], Sequence[Sides | None]]
"""Ways to show pairs → the sides that a judge takes, in their order."""


class Row(NamedTuple):
    """One variant of one probe, of one judge."""

    probe: str
    variant: str
    values: Values
    measured: Measured | None
    corrected_p: float | None
    """After Holm, over all that was measured of this judge."""
    failed: bool
    letters: tuple[float, float]
    """Shares of pairs that get A, and B, in both orders, as they are and changed."""
    hidden: bool
    """Whether the bias cannot be told, as the judge goes by position."""

    @property
    def toward(self) -> float:
        """Return the share of pairs that moved as the bias would move them."""
        return sum(v > 0 for _, v in self.values.values()) / max(1, len(self.values))

    @property
    def away(self) -> float:
        """Return the share of pairs that moved the other way."""
        return sum(v < 0 for _, v in self.values.values()) / max(1, len(self.values))


_Name = tuple[str, str]
"""Of a probe and of its variant."""


class _Planned(NamedTuple):
    """A pair with what one variant of a probe shows of it."""

    probe: str
    variant: str
    pair: ResponsePair
    arms: Sequence[Arm]


HIDING = 0.5
"""Net share of pairs with one letter in whatever way they are shown, from which a probe says
nothing: of what is left a bias would show at half its size at most."""


def examine(
    probes: Mapping[str, BiasProbe],
    pairs: Sequence[ResponsePair],
    ask: Ask,
    seed: int,
    can_ask: Callable[[Arm], bool] = lambda _: True,
    beside: int = 0,
) -> list[Row]:
    """Return a row for each variant of each probe, in their order.

    `beside`: how many tests are made of the same judge besides, for which p is corrected, too.
    A pair whose replies are missing, or that a probe cannot change, adds nothing to it.
    """
    planned = list(_plan(probes, pairs, seed, can_ask))
    sides = iter(ask(_arms(pairs, planned)))
    base = {pair.key: next(sides) for pair in pairs}
    values: dict[_Name, dict[str, tuple[str, float]]] = {}
    stuck: dict[_Name, list[float]] = {}
    for each in planned:
        found = values.setdefault((each.probe, each.variant), {})
        own, shown = base[each.pair.key], [next(sides) for _ in each.arms]
        taken = [s for s in shown if s is not None]
        if own is not None and len(taken) == len(shown):
            value = probes[each.probe].measure(own, taken)
            found[each.pair.key] = each.pair.instruction_key, value
            stuck.setdefault((each.probe, each.variant), []).append(_stuck_to([own, *taken]))
    return _rows(probes, values, stuck, seed, beside)


def shown_arms(
    probes: Mapping[str, BiasProbe],
    pairs: Sequence[ResponsePair],
    seed: int,
    can_ask: Callable[[Arm], bool],
) -> list[Arm]:
    """Return all ways in which `examine` shows the pairs, in the order in which it asks."""
    return _arms(pairs, list(_plan(probes, pairs, seed, can_ask)))


def _arms(pairs: Sequence[ResponsePair], planned: Sequence[_Planned]) -> list[Arm]:
    return [*map(Arm, pairs), *(arm for each in planned for arm in each.arms)]


def _plan(
    probes: Mapping[str, BiasProbe],
    pairs: Sequence[ResponsePair],
    seed: int,
    can_ask: Callable[[Arm], bool],
) -> Iterator[_Planned]:
    for pair in pairs:  # those of one pair together: they begin alike
        for name, probe in probes.items():
            for variant, arms in probe.arms(pair, seed).items():
                if all(map(can_ask, arms)):
                    yield _Planned(name, variant, pair, arms)


def _stuck_to(shown: Sequence[Sides]) -> float:
    """Return 1 where the letter was A however a pair was shown, -1 where it was B, else 0."""
    letters = {after - before for before, after in shown}
    return letters.pop() if letters in ({1.0}, {-1.0}) else 0.0


def _rows(
    probes: Mapping[str, BiasProbe],
    values: Mapping[_Name, Values],
    stuck: Mapping[_Name, Sequence[float]],
    seed: int,
    beside: int,
) -> list[Row]:
    names = [(name, variant) for name, probe in probes.items() for variant in probe.variants]
    found = {
        key: measured(values.get(key, {}), probes[key[0]].test, probes[key[0]].threshold, seed)
        for key in names
    }
    known = [(key, each) for key, each in found.items() if each]
    ps = holm([*(m.p for _, m in known), *[1.0] * beside])
    corrected = dict(zip([k for k, _ in known], ps, strict=False))
    rows = []
    for key, each in found.items():
        failed = each is not None and _fails(probes[key[0]], each, corrected[key])
        at_a, at_b = letters = _letter_shares(stuck.get(key, ()))
        hides = probes[key[0]].in_content and abs(at_a - at_b) >= HIDING
        hidden = each is not None and not failed and hides
        rows.append(
            Row(*key, values.get(key, {}), each, corrected.get(key), failed, letters, hidden)
        )
    return rows


def _letter_shares(stuck: Sequence[float]) -> tuple[float, float]:
    n = max(1, len(stuck))
    return stuck.count(1.0) / n, stuck.count(-1.0) / n


def _fails(probe: BiasProbe, each: Measured, p: float) -> bool:
    size = abs(each.figure) if probe.test == "either" else each.figure
    return size >= probe.threshold and p < LEVEL


def worst(rows: Sequence[Row]) -> Row:
    """Return the row of a probe's variants that tells most.

    One that failed, then one that cannot be told, then the largest figure.
    """
    return max(rows, key=lambda row: (row.failed, row.hidden, _size(row)))


def _size(row: Row) -> float:
    return abs(row.measured.figure) if row.measured else -1.0


def since(row: Row, seed_row: Row) -> tuple[float, tuple[float, float]] | None:
    """Return by how much a figure rose since the seed, with its interval."""
    return difference(row.values, seed_row.values)
