"""The check of a run: who is asked what, what is kept, and what is found."""

from dataclasses import replace

import pytest

from ste_plugin.audit.probes.builtin import PROBES
from ste_plugin.audit.probes.check import check_probes, draw_pairs, find_probes
from ste_plugin.config import AuditConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json
from tests.helpers.trained_runs import trained_run

HALVES = {"dev_fraction": 0.2, "test_fraction": 0.5}


def audited(path, iteration, **settings):
    with open_run(path, [], quiet=True) as opened:
        audit = AuditConfig(**settings)
        context = replace(opened, config=opened.config.model_copy(update={"audit": audit}))
        found = {f.name: f for f in check_probes(context, iteration)}
    return found, read_json(path.parent / "run/audit/probes.json")


def completions(path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in (path.parent / "run/audit").glob("*.completions.jsonl")}


@pytest.fixture(scope="module")
def honest(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    path = trained_run(folder, tiny_model, dataset=HALVES)
    return path, *audited(path, 1)


def test_a_judge_that_reads_fails_no_probe(honest):
    _, found, table = honest
    assert [f.name for f in found.values() if f.failed] == []
    assert [*found] == [*PROBES, "own answers preferred"]
    assert found["worse padded"].words.startswith(
        "No sign that it prefers the longer answer: 0% of "
    )
    assert "; the seed 0% and 0%, a change of +0.00 [" in found["worse padded"].words
    assert found["orders swapped"].figure == 0 and found["orders swapped"].subject == "iteration 1"
    assert table["split"] == "test"


def test_one_threshold_for_all_probes_is_set_in_the_config(honest):
    with open_run(honest[0], [], quiet=True) as context:
        config = context.config.model_copy(update={"audit": AuditConfig(probe_threshold=0.3)})
        probes = find_probes(replace(context, config=config))
    assert {probe.threshold for probe in probes.values()} == {0.3}


def test_the_table_has_every_judge_with_interval_and_p(honest):
    _, _, table = honest
    rows = {(row["probe"], row["variant"]): row["judges"] for row in table["probes"]}
    assert [name for name, _ in rows] == [n for n, p in PROBES.items() for _ in p.variants]
    judges = rows["worse padded", ""]
    assert set(judges) == {"seed", "iteration 1"}
    assert judges["seed"]["corrected_p"] == 1 and judges["seed"]["interval"][0] < 0
    assert judges["iteration 1"]["since_seed"]["difference"] == 0


def test_what_cannot_be_changed_so_is_too_little_not_a_pass(honest):
    _, found, _ = honest
    assert found["first sentence copied"].undecided and found["first sentence copied"].n == 0
    assert "too few to tell whether it judges by the first sentence" in (
        found["first sentence copied"].words
    )
    assert found["own answers preferred"].words.startswith("Not applicable")


def test_nothing_is_asked_twice(honest):
    path, found, _ = honest
    before = completions(path)
    assert set(before) == {"probes-00.completions.jsonl", "probes-01.completions.jsonl"}
    again, _ = audited(path, 1)
    assert completions(path) == before
    assert again == found


def test_what_a_killed_audit_asked_is_found_again(honest):
    path, found, _ = honest
    whole = completions(path)
    file = path.parent / "run/audit/probes-01.completions.jsonl"
    file.write_bytes(whole[file.name][: len(whole[file.name]) // 2])
    assert audited(path, 1)[0] == found
    assert sorted(completions(path)[file.name].splitlines()) == sorted(
        whole[file.name].splitlines()
    )


def test_a_judge_that_always_says_a_fails_by_its_orders_alone(tiny_model, tmp_path):
    path = trained_run(tmp_path, tiny_model, 0, judges="always A", dataset=HALVES)
    found, _ = audited(path, 0)
    (failed,) = (f for f in found.values() if f.failed)
    assert (failed.name, failed.figure, failed.subject) == ("orders swapped", 1.0, "seed")
    assert "both_orders_only: true" in failed.cure
    assert failed.words.startswith("It prefers an answer for its place: 100% of")
    assert " pairs to A in both orders, 0% to B in both orders; p 0.0" in failed.words
    padded = found["worse padded"]
    assert padded.undecided and padded.n > 12
    assert padded.words.startswith(
        "Cannot be told while the judge goes by position: of the pairs changed so, 100% get A "
        "however they are shown and 0% B."
    )
    assert found["pushback"].kept  # that shows in each order by itself
    assert not any(f.kept for f in found.values() if f.name not in ("orders swapped", "pushback"))


def test_forced_verdicts_are_forced_as_the_run_does(tiny_model, tmp_path):
    judging = {"format": "brief", "samples": 1, "force_verdict": True}
    path = trained_run(tmp_path, tiny_model, 0, judges="never", dataset=HALVES, judging=judging)
    found, _ = audited(path, 0)
    assert found["orders swapped"].figure == 0  # the fake judge's letter is right in both orders


def test_a_judge_that_gives_no_verdict_is_on_neither_side(tiny_model, tmp_path):
    path = trained_run(tmp_path, tiny_model, 0, judges="never", dataset=HALVES)
    found, _ = audited(path, 0)
    assert {f.figure for f in found.values() if not f.undecided} == {0.0}


def test_a_failed_probe_names_the_line_to_add(tiny_model, tmp_path):
    (tmp_path / "more.py").write_text(EMOJI)
    path = trained_run(
        tmp_path,
        tiny_model,
        0,
        dataset=HALVES,
        plugins=["hooks.py", "more.py"],
    )
    found, _ = audited(path, 0)
    emoji = found["better without its end"]
    assert emoji.failed and emoji.figure > 0.9
    assert emoji.cure == (
        "Train against it: `pairs: {strategies: [modified-instruction-two-calls, "
        "other-instruction, empty-opener]}` in the config, then `ste run CONFIG --from pool`; "
        "what was answered already is not asked again."
    )


EMOJI = """
from msgspec.structs import replace
from ste_plugin.audit.probes.probe import BiasProbe
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_probes():
    def change(pair, seed):
        return replace(pair, better="Hm.", worse=f"Reply to <{pair.instruction}>")

    return {"better without its end": BiasProbe(
        "reads only ends", change, strategies=("empty-opener",))}
"""


def test_pairs_are_held_out_ones_drawn_by_the_seed(honest):
    path, _, _ = honest
    with open_run(path, [], quiet=True) as context:
        split, pairs = draw_pairs(context)
        assert {split_of(p.instruction_key, context.config) for p in pairs} == {split} == {"test"}
        assert draw_pairs(context)[1] == pairs
    assert 0 < len(pairs) <= AuditConfig().pairs


def test_pairs_put_together_for_training_are_not_probed(tiny_model, tmp_path):
    pairs = {"strategies": ["other-instruction", "empty-opener", "padded-worse"]}
    path = trained_run(tmp_path, tiny_model, 0, pairs=pairs, dataset=HALVES)
    with open_run(path, [], quiet=True) as context:
        assert {p.strategy for p in draw_pairs(context)[1]} == {"other-instruction"}


def test_without_a_test_split_the_dev_pairs_are_probed_and_without_either_none(
    tiny_model, tmp_path
):
    path = trained_run(tmp_path, tiny_model, 0, dataset={"dev_fraction": 0.5, "test_fraction": 0})
    with open_run(path, [], quiet=True) as context:
        assert draw_pairs(context)[0] == "dev"
    (tmp_path / "none").mkdir()
    path = trained_run(
        tmp_path / "none", tiny_model, 0, dataset={"dev_fraction": 0, "test_fraction": 0}
    )
    none = pytest.raises(DataError, match="no pairs are held out to probe a judge with")
    with open_run(path, [], quiet=True) as context, none:
        draw_pairs(context)


def test_a_used_up_budget_leaves_figures_out_and_claims_nothing(tiny_model, tmp_path):
    path = trained_run(tmp_path, tiny_model, 0, dataset=HALVES)
    text = path.read_text() + "budget: {max_tokens_total: 1}\n"
    path.write_text(text)
    found, _ = audited(path, 0)
    assert all(f.undecided and not f.failed for f in found.values())
    assert "budget is used up: raise budget.max_tokens_total" in found["worse padded"].words


def test_fewer_probes_are_asked_by_name_and_nothing_is_said_of_the_others(tiny_model, tmp_path):
    path = trained_run(tmp_path, tiny_model, 0, dataset=HALVES)
    found, table = audited(path, 0, probes=["worse padded"])
    assert [*found] == ["worse padded"]
    assert {row["probe"] for row in table["probes"]} == {"worse padded"}
    (content,) = completions(path).values()
    assert len(content.splitlines()) == 4 * table["pairs"]  # as it is and changed, in both orders


def test_a_probe_that_there_is_none_of_is_named(tiny_model, tmp_path):
    path = trained_run(tmp_path, tiny_model, 0, dataset=HALVES)
    with pytest.raises(ConfigError, match="no 'worse paded'. Did you mean 'worse padded'"):
        audited(path, 0, probes=["worse paded"])


def test_fewer_pairs_are_asked_and_a_larger_number_asks_only_what_is_new(tiny_model, tmp_path):
    path = trained_run(tmp_path, tiny_model, 0, dataset=HALVES)
    few, table = audited(path, 0, pairs=13)
    assert table["pairs"] == few["orders swapped"].n == 13
    (kept,) = completions(path).values()
    more, table = audited(path, 0, pairs=20)
    assert table["pairs"] == more["orders swapped"].n == 20
    (now,) = completions(path).values()
    assert now.startswith(kept) and len(now) > len(kept)
    audited(path, 0, pairs=13)
    assert [*completions(path).values()] == [now]


def told(path, capsys, iteration=1, **settings):
    with open_run(path, []) as opened:
        audit = AuditConfig(**settings)
        context = replace(opened, config=opened.config.model_copy(update={"audit": audit}))
        list(check_probes(context, iteration))
    return capsys.readouterr().err.splitlines()


def test_what_will_be_asked_is_told_before_the_first_question(tiny_model, tmp_path, capsys):
    path = trained_run(tmp_path, tiny_model, dataset=HALVES)
    lines = told(path, capsys, probes=["worse padded", "pushback"], pairs=13)
    at = next(i for i, line in enumerate(lines) if line.startswith("probes: "))
    assert "13 test pairs" in lines[at] and "2 probes" in lines[at]
    assert "2 judges (seed, iteration 1): 208 questions" in lines[at]
    assert " tokens to read" in lines[at] and "audit.pairs" in lines[at]
    assert not any(line.startswith("probe (") for line in lines[:at])
    asked = sum(len(c.splitlines()) for c in completions(path).values())
    assert asked == 208
    again = told(path, capsys, probes=["worse padded", "pushback"], pairs=13)
    assert any("208 questions, all answered already" in line for line in again)
    more = told(path, capsys, probes=["worse padded", "pushback"], pairs=14)
    assert any("224 questions, 208 of them answered already" in line for line in more)
