"""What breaks a gate: what is beyond it, worse than what would be shipped, and not by chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.gates import breaks_level
from ste_plugin.audit.held_out import (
    INCONSISTENCY,
    INVALID_RATE,
    POSITION_BIAS,
    WIDTH,
    breaks_loss,
    sums_of,
)
from ste_plugin.audit.jackknife import Estimate, change
from ste_plugin.audit.run_audit import audit_run
from ste_plugin.audit.shares import HELD_OUT, change_finding
from ste_plugin.evaluation.compare import compare_outcomes
from ste_plugin.evaluation.judges import Outcome
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.run.open_run import open_run
from tests.helpers.judged_runs import config_of

share = st.floats(0, 1)
interval = st.none() | st.tuples(share, share).map(lambda ends: tuple(sorted(ends)))
estimates = st.builds(Estimate, share, interval)


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


def breaks(figure, threshold, judge, *others):
    own = sums_of(judged(judge))
    changes = {
        n: sums_of(judged(other)).beside(own).estimate(change(figure, WIDTH))
        for n, other in enumerate(others)
    }
    return breaks_level(own.share(figure), threshold, changes)


def test_a_judge_that_always_says_a_breaks_after_one_that_does_not_and_not_after_its_like():
    assert breaks(POSITION_BIAS, 0.2, ALWAYS_A * 40, RIGHT * 40)
    assert breaks(POSITION_BIAS, 0.2, ALWAYS_A * 40, ALWAYS_A * 40, RIGHT * 40)
    assert not breaks(POSITION_BIAS, 0.2, ALWAYS_A * 40, ALWAYS_A * 40)


def test_a_judge_that_says_one_letter_per_prompt_has_no_bias_and_breaks_consistency():
    assert not breaks(POSITION_BIAS, 0.2, CONSTANT * 20, RIGHT * 40)
    assert breaks(INCONSISTENCY, 0.5, CONSTANT * 20, RIGHT * 40)


def test_replies_without_a_verdict_break_where_the_seed_stated_one():
    silent = [(None, None)] * 40
    assert breaks(INVALID_RATE, 0.1, silent, RIGHT * 40)
    assert not breaks(INVALID_RATE, 0.1, silent, silent)
    assert not breaks(INVALID_RATE, 0.1, silent[:2] + RIGHT * 38, RIGHT * 40)


@pytest.mark.parametrize("pairs", [1, 5, 9])
def test_a_handful_of_pairs_breaks_nothing(pairs):
    assert not breaks(POSITION_BIAS, 0.2, ALWAYS_A * pairs, RIGHT * pairs)


@given(estimates, share, st.dictionaries(st.integers(0, 3), estimates, max_size=2))
def test_a_level_breaks_only_beyond_its_whole_interval_and_only_where_it_got_worse(
    own, threshold, changes
):
    broken = breaks_level(own, threshold, changes)
    if broken:
        assert own.interval is not None
        assert own.interval[0] > threshold
        assert not changes or any(c.interval and c.interval[0] > 0 for c in changes.values())
    assert not breaks_level(Estimate(own.figure, None), threshold, changes)


@given(estimates, share, share, st.dictionaries(st.integers(0, 3), estimates, max_size=2))
def test_a_stricter_level_breaks_whatever_a_laxer_one_does(own, first, second, changes):
    strict, lax = sorted((first, second))
    assert breaks_level(own, strict, changes) or not breaks_level(own, lax, changes)


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


def moved(before, now):
    held, start, own = HELD_OUT[0], sums_of(judged(before)), sums_of(judged(now))
    return change_finding(held, "iteration 1, dev", "the seed", start, own)


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
