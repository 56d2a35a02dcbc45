"""Whether what a run gained is more than noise: its judge against the seed, set by set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.evaluation.compare import Comparison, compare
from ste_plugin.evaluation.paired_test import holm
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.storage.run_layout import RunLayout

DEV = "dev"
"""The pairs that choose the judge: it is better on them by luck, too."""


@dataclass(frozen=True, slots=True)
class Gain:
    """A judge of a run against the seed, on every set that did not choose it."""

    judge: int
    """The iteration that is shipped; where the seed is, the last one."""
    is_shipped: bool
    comparisons: Mapping[str, Comparison]
    """Name of the set, the test pairs first → how they compare, corrected for how many there
    are."""
    refused: Mapping[str, str]
    """Name → why there is no comparison; under an empty name why there is none at all."""

    def sentences(self) -> list[str]:
        """Return the finding in words, a line for each set."""
        judge = judge_name(self.judge)
        lines = [] if self.is_shipped else [f"The seed is kept. {judge.capitalize()} against it:"]
        for name, found in self.comparisons.items():
            sentence = found.sentence(judge_name(0), judge)
            lines.append(f"On {name}, {sentence[0].lower()}{sentence[1:]}")
        for name, why in self.refused.items():
            where = f"On {name}, {judge}" if name else judge.capitalize()
            lines.append(f"{where} is not compared with the seed: {why.removesuffix('.')}.")
        if not (self.comparisons or self.refused):
            lines.append("Nothing but the dev pairs was measured, and these choose the judge.")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return it for scripts."""
        names = judge_name(0), judge_name(self.judge)
        return {
            "judge": self.judge,
            "evaluations": {
                name: found.to_dict() | {"sentence": found.sentence(*names)}
                for name, found in self.comparisons.items()
            },
            "refused": dict(self.refused),
        }


def gain_of(root: Path, best: int, last: int) -> Gain | None:
    """Return how the shipped judge (where that is the seed, the last) compares with the seed.

    `best`, `last`: iterations of the run, 0 being the seed. None where the seed is all there is.
    """
    judge = best or last
    if not judge:
        return None
    folder = RunLayout(root)
    try:
        found, refused = compare(folder.iteration(0), folder.iteration(judge))
    except DataError as error:
        found, refused = {}, {"": str(error).splitlines()[0]}
    tested = {name: found[name] for name in sorted(found, key=_place) if name != DEV}
    others = {name: why for name, why in refused.items() if name != DEV}
    return Gain(judge, bool(best), correct_together(tested), others)


def _place(name: str) -> tuple[bool, str]:
    return name != "test", name


def correct_together(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Return comparisons of two judges on several sets, corrected for how many sets these are."""
    if len(comparisons) < 2:
        return dict(comparisons)
    corrected = holm([comparison.p for comparison in comparisons.values()])
    return {
        name: replace(comparison, sets=len(comparisons), p_corrected=p)
        for (name, comparison), p in zip(comparisons.items(), corrected, strict=True)
    }
