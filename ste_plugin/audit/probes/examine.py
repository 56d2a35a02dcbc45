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

    @property
    def toward(self) -> float:
        """Return the share of pairs that moved as the bias would move them."""
        return sum(v > 0 for _, v in self.values.values()) / max(1, len(self.values))

    @property
    def away(self) -> float:
        """Return the share of pairs that moved the other way."""
        return sum(v < 0 for _, v in self.values.values()) / max(1, len(self.values))


class _Planned(NamedTuple):
    """A pair with what one variant of a probe shows of it."""

    probe: str
    variant: str
    pair: ResponsePair
    arms: Sequence[Arm]


def examine(
    probes: Mapping[str, BiasProbe],
    pairs: Sequence[ResponsePair],
    ask: Ask,
    seed: int,
    can_ask: Callable[[Arm], bool] = lambda _: True,
) -> list[Row]:
    """Return a row for each variant of each probe, in their order.

    A pair whose replies are missing, or that a probe cannot change, adds nothing to it.
    """
    planned = [each for each in _plan(probes, pairs, seed) if all(map(can_ask, each.arms))]
    arms = [*map(Arm, pairs), *(arm for each in planned for arm in each.arms)]
    sides = iter(ask(arms))
    base = {pair.key: next(sides) for pair in pairs}
    values: dict[tuple[str, str], dict[str, tuple[str, float]]] = {}
    for each in planned:
        found = values.setdefault((each.probe, each.variant), {})
        own, shown = base[each.pair.key], [next(sides) for _ in each.arms]
        taken = [s for s in shown if s is not None]
        if own is not None and len(taken) == len(shown):
            value = probes[each.probe].measure(own, taken)
            found[each.pair.key] = each.pair.instruction_key, value
    return _rows(probes, values, seed)


def _plan(
    probes: Mapping[str, BiasProbe], pairs: Sequence[ResponsePair], seed: int
) -> Iterator[_Planned]:
    for pair in pairs:  # those of one pair together: they begin alike
        for name, probe in probes.items():
            for variant, arms in probe.arms(pair, seed).items():
                yield _Planned(name, variant, pair, arms)


def _rows(
    probes: Mapping[str, BiasProbe], values: Mapping[tuple[str, str], Values], seed: int
) -> list[Row]:
    names = [(name, variant) for name, probe in probes.items() for variant in probe.variants]
    found = {
        key: measured(values.get(key, {}), probes[key[0]].test, probes[key[0]].threshold, seed)
        for key in names
    }
    known = [(key, each) for key, each in found.items() if each]
    corrected = dict(zip([k for k, _ in known], holm([m.p for _, m in known]), strict=True))
    return [
        Row(
            *key,
            values.get(key, {}),
            each,
            corrected.get(key),
            each is not None and _fails(probes[key[0]], each, corrected[key]),
        )
        for key, each in found.items()
    ]


def _fails(probe: BiasProbe, each: Measured, p: float) -> bool:
    size = abs(each.figure) if probe.test == "either" else each.figure
    return size >= probe.threshold and p < LEVEL


def worst(rows: Sequence[Row]) -> Row:
    """Return the row of a probe's variants that tells most: failed, then the largest figure."""
    return max(rows, key=lambda row: (row.failed, _size(row)))


def _size(row: Row) -> float:
    return abs(row.measured.figure) if row.measured else -1.0


def since(row: Row, seed_row: Row) -> tuple[float, tuple[float, float]] | None:
    """Return by how much a figure rose since the seed, with its interval."""
    return difference(row.values, seed_row.values)
