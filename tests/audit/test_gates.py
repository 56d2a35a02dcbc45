"""What breaks a gate: what is beyond it, worse than what would be shipped, and not by chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.gate_decision import decide
from ste_plugin.audit.gates import LEVELS, level_gate
from ste_plugin.audit.held_out import breaks_loss, sums_of
from ste_plugin.audit.run_audit import audit_run
from ste_plugin.audit.shares import change_finding, held_out_shares
from ste_plugin.config.audit import AuditConfig
from ste_plugin.evaluation.compare import compare_outcomes
from ste_plugin.evaluation.judges import Outcome
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.run.open_run import open_run
from tests.helpers.drawn_judges import BIASED, Kind, drawn_gates
from tests.helpers.judged_runs import config_of


def judged(says: list[str | None]) -> list[JudgedPair]:
    """Pairs of a prompt each, both orders of which are judged by these letters in turn."""
    return [
        JudgedPair(
            f"p{n}", "", f"prompt {n}", (OrderVerdict("A", own=a), OrderVerdict("B", own=b)), 9, 9
        )
        for n, (a, b) in enumerate(says)
    ]


ALWAYS_A, ALWAYS_B, RIGHT = [("A", "A")], [("B", "B")], [("A", "B")]
CONSTANT = ALWAYS_A + ALWAYS_B


BIAS, CONSISTENCY, INVALID = LEVELS


def breaks(held, judge, *others):
    """Whether a judge breaks a gate, held against others, where no other gate is tested."""
    sums = {n: sums_of(judged(found)) for n, found in enumerate([*others, judge])}
    (found,) = decide([level_gate(len(others), held, sums)])
    return found.failed


def test_a_figure_is_told_with_the_number_of_its_own_cases():
    sums = {n: sums_of(judged(RIGHT * 40)) for n in (0, 1)}
    told = {held.name: level_gate(1, held, sums).finding.n for held in LEVELS}
    assert told == {"position_bias": 80, "consistency": 40, "invalid_rate": 80}


def test_a_judge_that_always_says_a_breaks_after_one_that_does_not_and_not_after_its_like():
    assert breaks(BIAS, ALWAYS_A * 40, RIGHT * 40)
    assert breaks(BIAS, ALWAYS_A * 40, ALWAYS_A * 40, RIGHT * 40)
    assert not breaks(BIAS, ALWAYS_A * 40, ALWAYS_A * 40)


def test_a_judge_that_says_one_letter_per_prompt_has_no_bias_and_breaks_consistency():
    assert not breaks(BIAS, CONSTANT * 20, RIGHT * 40)
    assert breaks(CONSISTENCY, CONSTANT * 20, RIGHT * 40)


def test_replies_without_a_verdict_break_where_the_seed_stated_one():
    silent = [(None, None)] * 40
    assert breaks(INVALID, silent, RIGHT * 40)
    assert not breaks(INVALID, silent, silent)
    assert not breaks(INVALID, silent[:2] + RIGHT * 38, RIGHT * 40)


@pytest.mark.parametrize("pairs", [1, 5, 9])
def test_a_handful_of_pairs_breaks_nothing(pairs):
    assert not breaks(BIAS, ALWAYS_A * pairs, RIGHT * pairs)


def test_what_is_beyond_its_level_and_may_be_so_by_chance_is_told_with_the_chance():
    seed, own = ALWAYS_A * 32 + RIGHT * 8, ALWAYS_A * 34 + RIGHT * 6
    (found,) = decide([level_gate(1, BIAS, {0: sums_of(judged(seed)), 1: sums_of(judged(own))})])
    assert found.words == (
        "beyond its level; not held against it, as the seed is not clearly better: one letter gets "
        "92% of its verdicts (the seed 90%); at most 70% (p = 0.25, corrected for 1 test)."
    )
    assert found.unsure


letters = st.lists(st.sampled_from([("A", "A"), ("B", "B"), ("A", "B"), ("B", "A")]), min_size=12)


@given(letters, st.floats(0.01, 0.49), st.floats(0.01, 0.49))
def test_a_stricter_level_breaks_whatever_a_laxer_one_does(own, first, second):
    strict, lax = (BIAS._replace(level=level) for level in sorted((first, second)))
    seed = RIGHT * len(own)
    assert breaks(strict, own, seed) or not breaks(lax, own, seed)


@pytest.mark.parametrize(
    ("kind", "pairs", "each"),
    [
        (BIASED, 40, 1),
        (BIASED, 80, 2),
    ],
)
def test_a_judge_equal_to_its_seed_is_stopped_in_at_most_5_of_100_cases(kind, pairs, each):
    """Were it 5 of 100, more than 7 of 60 would be seen in 1 of 100 such tests."""
    stopped = sum(
        any(found.failed for found in drawn_gates(draw, [kind] * 3, pairs, each))
        for draw in map(np.random.default_rng, range(60))
    )
    assert stopped <= 7


@pytest.mark.parametrize("pairs", [20, 40])
def test_a_judge_that_always_says_a_is_always_stopped(pairs):
    for draw in map(np.random.default_rng, range(20)):
        kinds = [Kind(), Kind(), Kind(always_a=1.0)]
        failed = {f.name for f in drawn_gates(draw, kinds, pairs) if f.failed}
        assert "position_bias" in failed


def test_a_judge_that_says_one_letter_in_95_of_100_is_always_stopped():
    for draw in map(np.random.default_rng, range(20)):
        kinds = [Kind(), Kind(), Kind(always_a=0.9)]
        assert any(f.failed for f in drawn_gates(draw, kinds, 40))


def outcomes(right: list[bool]) -> list[Outcome]:
    return [Outcome("", f"prompt {n}", float(r), r) for n, r in enumerate(right)]


def test_a_loss_breaks_only_where_a_paired_test_says_so():
    seed = outcomes([True] * 30 + [False] * 10)
    clear = outcomes([True] * 15 + [False] * 25)
    slight = outcomes([True] * 28 + [False] * 12)
    assert breaks_loss(compare_outcomes(seed, clear), 0.0)
    assert not breaks_loss(compare_outcomes(seed, slight), 0.0)
    assert not breaks_loss(compare_outcomes(seed, clear), 0.5)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=30))
def test_of_two_judges_at_most_one_is_worse_and_none_than_itself(rights):
    first, second = (outcomes([pair[i] for pair in rights]) for i in (0, 1))
    there = breaks_loss(compare_outcomes(first, second), 0.0)
    back = breaks_loss(compare_outcomes(second, first), 0.0)
    assert not (there and back)
    assert not breaks_loss(compare_outcomes(first, first), 0.0)


HELD_OUT = held_out_shares(AuditConfig())


def moved(before, now):
    start, own = sums_of(judged(before)), sums_of(judged(now))
    return change_finding(HELD_OUT[0], "iteration 1, dev", "the seed", start, own, 0.1)


def test_a_preference_that_turned_to_the_other_letter_is_told_beside_its_strength():
    turned = moved(ALWAYS_A * 40, ALWAYS_B * 36 + RIGHT * 4)
    assert turned.words == (
        "strength of the preference for one letter: -5 points since the seed, and the letter is "
        "another one: always A before, B in 95% now; a rise by at most 10."
    )
    assert "another" not in moved(ALWAYS_A * 40, ALWAYS_A * 36 + RIGHT * 4).words


@given(st.lists(st.sampled_from(["A", "B", None]), min_size=20, max_size=40))
def test_intervals_of_a_bias_stay_within_what_is_possible(letters):
    held, sums = HELD_OUT[0], sums_of(judged([(letter, letter) for letter in letters]))
    interval = held.share(sums).interval
    assert interval is None or 0 <= interval[0] <= interval[1] <= 0.5
    change = held.change(sums_of(judged(ALWAYS_A * 20)), sums).interval
    assert change is None or -0.5 <= change[0] <= change[1] <= 0.5


def test_where_gates_were_not_decided_the_audit_says_so(tiny_model, tmp_path):
    with open_run(config_of(tmp_path, tiny_model), [], quiet=True) as context:
        (told,) = audit_run(context, 1, ["gates"])
    assert told.undecided
    assert told.words.endswith("iter-01/gates.json: `ste run` decides gates.")
