"""What a judgment is worth in reinforcement learning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.axolotl.rewards import VALID, judge_reward
from ste_plugin.errors import SteError

REASONED = "A names a fruit as it was asked to, B does not. Final verdict: [[{}]]"


def rewards(*judged: tuple[str, str, str], form: str = "brief") -> list[float]:
    """The rewards of (pair, better letter, completion)."""
    pairs, letters, completions = zip(*judged, strict=True)
    return judge_reward(
        completions,
        better_is=letters,
        pair=pairs,
        judge_format=[form] * len(judged),
        prompts=[""] * len(judged),
        completion_ids=[[]] * len(judged),
    )


def said(letter: str) -> str:
    return REASONED.format(letter)


def test_right_in_both_orders_is_worth_most_and_no_verdict_nothing():
    both = rewards(("p", "A", said("A")), ("p", "B", said("B")))
    once = rewards(("p", "A", said("A")), ("p", "B", said("A")))
    assert both == [pytest.approx(1.0)] * 2
    assert once == [pytest.approx(0.7), pytest.approx(VALID)]
    assert rewards(("p", "A", "I cannot say which of the two is better.")) == [0.0]


@pytest.mark.parametrize(
    "text", ["[[A]]", "Final verdict: [[A]]", "It is [[A]]", "", "[[A]] [[B]]"]
)
def test_a_verdict_without_reasons_earns_nothing_where_reasons_are_asked_for(text):
    assert rewards(("p", "A", text)) == [0.0]


def test_two_verdicts_are_none():
    assert rewards(("p", "A", said("A") + " Or rather [[B]].")) == [0.0]


def test_the_bare_letter_earns_its_reward_where_it_is_all_that_is_asked_for():
    assert rewards(("p", "A", "[[A]]"), form="verdict") == [pytest.approx(0.7)]


def test_only_the_same_pair_in_the_other_order_adds_to_a_reward():
    alone = rewards(("p", "A", said("A")))
    others = rewards(("p", "A", said("A")), ("q", "B", said("B")), ("p", "A", said("A")))
    assert others[0] == others[2] == alone[0]


def test_the_other_order_adds_the_share_of_it_that_was_right():
    found = rewards(("p", "A", said("A")), ("p", "B", said("B")), ("p", "B", said("A")))
    assert found[0] == pytest.approx(0.85)


def test_completions_may_come_as_turns():
    turn = [{"role": "assistant", "content": said("A")}]
    (found,) = judge_reward([turn], better_is=["A"], pair=["p"], judge_format=["brief"])
    assert found == pytest.approx(0.7)


def test_an_unknown_format_is_named():
    with pytest.raises(SteError, match="nonsense"):
        rewards(("p", "A", said("A")), form="nonsense")


COMPLETIONS = st.one_of(
    st.sampled_from(
        [said("A"), said("B"), "[[A]]", "[[B]]", "", "Nothing to say about these two."]
    ),
    st.text(max_size=60),
)
BATCHES = st.lists(
    st.tuples(st.sampled_from("pqr"), st.sampled_from("AB"), COMPLETIONS), min_size=1, max_size=12
)


@given(BATCHES, st.sampled_from(["brief", "criteria", "plan", "verdict"]), st.randoms())
def test_rewards_lie_between_nothing_and_one_and_do_not_depend_on_the_order_in_a_batch(
    batch, form, random
):
    found = rewards(*batch, form=form)
    assert all(0.0 <= value <= 1.0 for value in found)
    places = list(range(len(batch)))
    random.shuffle(places)
    assert rewards(*(batch[p] for p in places), form=form) == [found[p] for p in places]


@given(BATCHES, st.sampled_from("pqr"), st.sampled_from("AB"))
def test_right_is_worth_more_than_wrong_and_wrong_no_less_than_nothing(batch, pair, letter):
    wrong = "B" if letter == "A" else "A"
    values = [
        rewards(*batch, (pair, letter, text))[-1] for text in (said(letter), said(wrong), "…")
    ]
    assert values[0] > values[1] >= values[2] == 0.0
