"""How gates are decided together: each more that is looked at is one more chance to be unlucky."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.significance import LEVEL
from ste_plugin.evaluation.paired_test import holm

CHECK = "gates"


@dataclass(frozen=True, slots=True)
class Tested:
    """What was measured for a gate, not decided yet."""

    finding: Finding
    is_beyond: bool = False
    """Whether its figure lies beyond its threshold, with the whole interval."""
    ps: Mapping[int, float] = field(default_factory=dict)
    """Iteration that it is held against → how likely a judge as good as that one looks so bad."""
    kept_words: str = ""
    """What stands before its words where it is beyond, and chance may have made it look worse."""


def decide(tested: Sequence[Tested]) -> Iterator[Finding]:
    """Yield the findings of gates; `failed` where chance is no explanation.

    Its figure must be beyond the threshold, and worse than one of those that it is held against by
    a p-value below 0.05, corrected after Holm for all that is tested: so an iteration as good as
    what would be shipped instead breaks any gate at all in at most 5 of 100 cases.
    """
    ps = [p for gate in tested for p in gate.ps.values()]
    corrected = iter(holm(ps))
    for gate in tested:
        own = [next(corrected) for _ in gate.ps]
        failed = gate.is_beyond and min(own, default=1.0) < LEVEL
        words = gate.finding.words
        if own:
            words = words.replace(P, _p_in_words(min(own), len(ps)))
        if gate.is_beyond and not failed:
            words = f"{gate.kept_words}{words}"
        yield replace(gate.finding, failed=failed, words=words)


P = "{p}"
"""Where the p-value stands in the words of a finding."""


def _p_in_words(p: float, tests: int) -> str:
    return f"p = {p:.2g}, corrected for {tests} test{'' if tests == 1 else 's'}"


def undecided(name: str, number: int, threshold: float, why: str, of: str = "") -> Tested:
    """Return a gate that cannot be computed."""
    subject = f"iteration {number}{of and ', '}{of}"
    words = f"undecided: {why}"
    return Tested(Finding(CHECK, name, subject, None, None, threshold, 0, False, words))
