"""How far a judge moved from another one: verdicts, direction, position, on the same pairs."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.drift import verdict_on, verdicts_moved
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from tests.helpers.measured_runs import judged_pairs

READINGS = st.sampled_from(["A", "B", "tie", None])
JUDGES = st.lists(st.tuples(READINGS, READINGS, READINGS, READINGS), min_size=1, max_size=30)


def judged(said) -> list[JudgedPair]:
    return [
        JudgedPair(f"p{n}", "s", f"q{n}", (OrderVerdict("A", a), OrderVerdict("B", b)), 9, 9)
        for n, (a, b) in enumerate(said)
    ]


@given(JUDGES)
def test_each_changed_verdict_went_somewhere_and_comes_back_in_the_other_direction(said):
    first, second = judged([row[:2] for row in said]), judged([row[2:] for row in said])
    moved, back = verdicts_moved(first, second), verdicts_moved(second, first)
    verdicts = moved["verdicts"]
    assert verdicts["changed"] == sum(verdicts["to"].values()) == back["verdicts"]["changed"]
    assert verdicts["share"]["figure"] == verdicts["changed"] / len(said)
    turned = {"→".join(m.split("→")[::-1]): n for m, n in back["verdicts"]["moves"].items()}
    assert verdicts["moves"] == turned
    if moved["position"]["change"]["figure"] is not None:
        there, again = (each["position"]["change"]["figure"] for each in (moved, back))
        assert abs(there + again) < 1e-9


@given(JUDGES)
def test_a_judge_did_not_move_from_itself(said):
    same = judged([row[:2] for row in said])
    moved = verdicts_moved(same, same)
    assert moved["verdicts"]["changed"] == 0
    assert moved["position"]["change"]["figure"] in (0.0, None)


def test_a_verdict_is_what_both_orders_agree_on():
    said = [("A", "B"), ("B", "A"), ("A", "A"), ("A", None), ("tie", "tie")]
    assert [verdict_on(pair) for pair in judged(said)] == [
        *("better", "worse", "neither", "neither", "neither")
    ]


def test_moves_have_a_direction_and_intervals_hold_the_figures():
    always_a = judged([("A", "A")] * 40)
    good = judged([("A", "B")] * 30 + [("B", "A")] * 10)
    moved = verdicts_moved(always_a, good)
    assert moved["verdicts"]["to"] == {"better": 30, "worse": 10, "neither": 0}
    assert moved["verdicts"]["moves"] == {"neither→better": 30, "neither→worse": 10}
    change = moved["position"]["change"]
    assert change["figure"] == -0.5
    assert change["interval"][0] <= -0.5 <= change["interval"][1] < 0


def test_pairs_that_do_not_fit_or_have_no_better_response_count_nothing():
    first, second = judged_pairs(40, 0.9, 1), judged_pairs(40, 0.6, 2)
    first[0], second[1] = replace(first[0], fits=False), replace(second[1], fits=False)
    first[2] = replace(first[2], votes=(1, 1, 0))
    assert verdicts_moved(first, second)["verdicts"]["pairs"] == 37
    assert verdicts_moved(first[:1], second) == {}
