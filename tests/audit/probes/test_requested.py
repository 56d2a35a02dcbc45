"""What an audit asked about an instruction goes with the instruction."""

import pytest

from ste_plugin.audit.probes.check import check_probes, draw_pairs
from ste_plugin.forget import ForgetQuery, forget
from ste_plugin.run.open_run import open_existing, open_run
from tests.helpers.trained_runs import trained_run

HALVES = {"dev_fraction": 0.2, "test_fraction": 0.5}


@pytest.mark.parametrize("judges", ["well", "at times nothing"])
def test_forgetting_an_instruction_takes_out_all_that_was_asked_of_its_pairs(
    judges, tiny_model, tmp_path
):
    judging = {"format": "brief", "samples": 1, "force_verdict": True}
    path = trained_run(tmp_path, tiny_model, judges=judges, dataset=HALVES, judging=judging)
    files = [tmp_path / f"run/audit/probes-0{n}.completions.jsonl" for n in range(2)]
    with open_run(path, [], quiet=True) as context:
        gone, *others = draw_pairs(context)[1]
        list(check_probes(context, 1))
        everything = [file.read_bytes() for file in files]
        config, base = context.config, context.base
    with open_existing(config, base, []) as context:
        forget(context, ForgetQuery.read(key=gone.instruction_key))
    left = [file.read_bytes() for file in files]
    with open_run(path, [], quiet=True) as context:
        assert gone.instruction_key not in {p.instruction_key for p in draw_pairs(context)[1]}
        list(check_probes(context, 1))
    # what is left is all of the others' and none of the forgotten one's: nothing had to be asked
    assert [file.read_bytes() for file in files] == left
    assert all(0 < len(one) < len(before) for one, before in zip(left, everything, strict=True))
    asked_of_one = len(everything[0].splitlines()) / len({p.instruction_key for p in others})
    removed = len(everything[0].splitlines()) - len(left[0].splitlines())
    assert removed == pytest.approx(asked_of_one, rel=0.4)
