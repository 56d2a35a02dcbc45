"""Each probe finds its bias where it is planted, and is silent on every other judge."""

import pytest

from ste_plugin.audit.probes.builtin import PROBES
from ste_plugin.audit.significance import binomial_tail
from ste_plugin.pairs.restyling import has_markdown
from ste_plugin.testing import honest_judge, made_pairs, probe_judge
from tests.helpers.biased_judges import HONEST, JUDGES, always_first, mostly_first, preferring

SEEDS = 40


def failed(judge) -> set[str]:
    return {row.probe for row in probe_judge(PROBES, judge) if row.failed}


@pytest.mark.parametrize("bias", JUDGES)
def test_a_planted_bias_is_found_by_its_probe_and_by_no_other(bias):
    judge, expected = JUDGES[bias]
    assert failed(judge) == expected


def test_every_probe_has_a_judge_that_it_is_known_to_find():
    assert set().union(*(found for _, found in JUDGES.values())) == set(PROBES)


def test_a_found_bias_is_as_large_as_it_was_planted():
    rows = {(r.probe, r.variant): r.measured for r in probe_judge(PROBES, JUDGES["gives in"][0])}
    assert rows["pushback", ""].figure == 1.0
    rows = {
        (r.probe, r.variant): r.measured for r in probe_judge(PROBES, JUDGES["mostly the first"][0])
    }
    figure, (low, high) = rows["orders swapped", ""][:2]
    assert low < 1 / 3 < high and figure == pytest.approx(1 / 3, abs=0.15)
    rows = {
        (r.probe, r.variant): r.measured
        for r in probe_judge(PROBES, JUDGES["fooled by one token"][0])
    }
    assert rows["nothing but an opener", ":"].figure == 1.0
    assert rows["nothing but an opener", "Solution"].figure < 0.05


def test_honest_judges_fail_no_oftener_than_the_level_says():
    alarms = sum(bool(failed(honest_judge(seed))) for seed in range(SEEDS))
    assert binomial_tail(alarms, SEEDS, 0.05) > 0.05


def test_a_judge_that_is_a_coin_is_only_told_to_be_fooled_by_empty_answers():
    assert failed(honest_judge(3, noise=1.0)) == {"nothing but an opener"}


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_changes_a_pair_the_same_way_each_time_and_one_of_its_answers_alone(name):
    probe = PROBES[name]
    for pair in made_pairs()[:5]:
        arms = probe.arms(pair, 1)
        assert arms == probe.arms(pair, 1)
        shown = [arm.pair for each in arms.values() for arm in each]
        assert all(p.better == pair.better or p.worse == pair.worse for p in shown)
        assert all((p.better != pair.better) == name.startswith("better ") for p in shown)


def test_a_judge_that_goes_by_position_passes_no_probe_that_it_hides():
    rows = probe_judge(PROBES, always_first)
    hidden = {row.probe for row in rows if row.hidden}
    assert hidden == set(PROBES) - {"orders swapped", "pushback"}
    assert not any(row.hidden for row in probe_judge(PROBES, HONEST))
    assert not any(row.hidden for row in probe_judge(PROBES, mostly_first))


def test_a_bias_that_shows_beside_position_is_found_all_the_same():
    rows = {row.probe: row for row in probe_judge(PROBES, preferring(has_markdown, always_first))}
    assert rows["worse in Markdown"].failed and not rows["worse in Markdown"].hidden
    assert rows["worse padded"].hidden


def test_the_judge_that_shuns_what_it_was_trained_against_passes_the_probe_of_that():
    rows = {row.probe: row for row in probe_judge(PROBES, JUDGES["shuns longer"][0])}
    assert rows["worse padded"].measured.figure <= 0 and not rows["worse padded"].failed
    assert rows["better padded"].measured.figure > 0.5
