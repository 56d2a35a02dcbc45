"""The rounds of a run held against each other, pair by pair."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.evaluation.compare import Comparison, compare_evaluations
from ste_plugin.evaluation.gain import DEV, correct_together
from ste_plugin.evaluation.judges import Evaluation

Measured = tuple[int, Path, Mapping[str, Any]]
"""Number of a round, the folder of what was said there about one set of pairs, its results.json."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two rounds on the pairs that both judged."""

    first: int
    second: int
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    """Name of the pairs or benchmark → how they compare."""
    refused: dict[str, str] = field(default_factory=dict)
    """Name → why there is none."""


def compare_rounds(
    by_name: Mapping[str, Sequence[Measured]], wanted: Collection[tuple[int, int]]
) -> list[Compared]:
    """Return how rounds compare, in the order wanted, an earlier and a later one each.

    Comparisons with the seed, but for that on the dev pairs, are corrected for how many there are.

    `by_name` has the rounds that were measured on each set, in their order. What was said of a set
    is read once, and held no longer than a later round is compared with it.
    """
    compared = {pair: Compared(*pair) for pair in wanted}
    for name, rounds in by_name.items():
        held: dict[int, Evaluation] = {}
        for number, path, results in rounds:
            held[number] = Evaluation(path, results)
            for first, second in compared:
                if second == number and first in held:
                    _compare(compared[first, second], name, held[first], held[number])
            later = {first for first, second in compared if second > number}
            held = {n: evaluation for n, evaluation in held.items() if n in later}
    for found in compared.values():
        if found.first == 0:  # as `ste run` tells the gain
            tested = {name: c for name, c in found.comparisons.items() if name != DEV}
            found.comparisons.update(correct_together(tested))
        if not (found.comparisons or found.refused):
            found.refused[""] = "they were measured on other pairs"
    return list(compared.values())


def _compare(compared: Compared, name: str, first: Evaluation, second: Evaluation) -> None:
    try:
        found = compare_evaluations(first, second)
    except DataError as error:
        found = str(error)
    if isinstance(found, str):
        compared.refused[name] = found
    else:
        compared.comparisons[name] = found
