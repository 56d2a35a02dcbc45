"""What a finding says of a judge, and of the seed before it."""

import re
from types import SimpleNamespace

import pytest

from ste_plugin.audit.probes.builtin import PROBES
from ste_plugin.audit.probes.telling import tell
from ste_plugin.testing import probe_judge
from tests.helpers.biased_judges import HONEST, JUDGES, always_first

CONTEXT = SimpleNamespace(
    budget=SimpleNamespace(stopped=False),
    config=SimpleNamespace(pairs=SimpleNamespace(strategies=("other-instruction",))),
)


def told(judge, seed=None, probe="worse padded"):
    (row,) = probe_judge({probe: PROBES[probe]}, judge)
    before = probe_judge({probe: PROBES[probe]}, seed)[0] if seed else None
    return tell(CONTEXT, probe, PROBES[probe], row, before, "iteration 1")


def test_a_failed_probe_says_what_moved_which_way_and_what_to_add():
    finding = told(JUDGES["prefers longer"][0], HONEST)
    assert finding.failed
    said = re.match(
        r"It prefers the longer answer: (9\d|100)% of 60 pairs to the worse answer, \d% to the "
        r"better one; the seed 1?\d% and 1?\d%, a change of \+(0\.9|1\.0)\d \[",
        finding.words,
    )
    assert said, finding.words
    assert "strategies: [other-instruction, padded-worse]" in finding.cure


@pytest.mark.parametrize("probe", ["worse padded", "better padded"])
def test_a_seed_that_went_by_position_is_not_what_a_change_is_told_from(probe):
    finding = told(HONEST, always_first, probe)
    assert not finding.undecided
    assert "; the seed went by position, so that it cannot be told of it; p " in finding.words
    assert "a change of" not in finding.words
