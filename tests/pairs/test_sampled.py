"""Pairs of several answers, told apart by their final answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ste_plugin.engines.base import Completion
from ste_plugin.pairs.sampled import BY_FINAL_ANSWER
from ste_plugin.pairs.strategies import read_pair
from ste_plugin.records import Drop, ResponsePair, content_key
from tests.helpers.builders import instruction

KEY = content_key("i")


def made(name: str, answers: list[str], known: str = "5", ends: str = "") -> ResponsePair | Drop:
    """A pair of samples with these final answers; `ends` has how each ended: s, l or b."""
    own = replace(instruction(KEY, "What is 2 + 3?"), final_answer=known)
    reasons = [
        {"l": "length", "b": "budget"}.get(end, "stop") for end in ends or "s" * len(answers)
    ]
    replies = [
        Completion("k", f"Sample {n} says\nAnswer: {answer}" if answer else answer, reason, 1, 1)
        for n, (answer, reason) in enumerate(zip(answers, reasons, strict=True))
    ]
    strategy = BY_FINAL_ANSWER[name]
    return read_pair(own, "good", name, strategy, replies, {KEY: "good"}, [own])


def numbers(pair: ResponsePair) -> tuple[str, str]:
    """Which sample is better, and which is worse."""
    return pair.better.split()[1], pair.worse.split()[1]


@pytest.mark.parametrize("name", BY_FINAL_ANSWER)
def test_the_instruction_is_asked_once_and_the_form_with_it(name):
    own = replace(instruction(text="What is 2 + 3?"), final_answer="5")
    (turn,) = BY_FINAL_ANSWER[name].next_prompt(own, [])
    assert turn.content.startswith("What is 2 + 3?\n\n")
    assert BY_FINAL_ANSWER[name].next_prompt(own, ["5"]) is None


def test_the_first_of_the_majority_is_better_than_the_first_of_the_rarest():
    assert numbers(made("majority-answer", ["7", "5", "5.0", "6", "7", "5", "5", "$5"])) == (
        "1",
        "3",
    )


def test_the_first_that_reaches_the_known_answer_is_better_than_the_first_that_reaches_another():
    assert numbers(made("checked-answer", ["7", "6", "5.00", "5"])) == ("2", "0")


def test_a_solution_is_known_by_its_end():
    assert numbers(made("checked-answer", ["7", "5"], "2 + 3 = <<2+3=5>>5\n#### 5")) == ("1", "0")


@pytest.mark.parametrize(
    ("name", "answers", "known", "reason"),
    [
        ("majority-answer", ["5", "5"], "5", "no sample has another final answer"),
        ("majority-answer", ["5", "5", "6", "7"], "5", "no final answer has a majority"),
        ("majority-answer", ["", "", ""], "5", "reply empty"),
        ("majority-answer", ["6", "6", "5"], "5", "the majority misses the known answer"),
        ("checked-answer", ["6", "7"], "5", "no sample reaches the known answer"),
        ("checked-answer", ["5", "5"], "5", "no sample has another final answer"),
        ("checked-answer", ["five", "5"], "5", "no sample has another final answer"),
        ("majority-answer", ["5", "five", "5"], "5", "no sample has another final answer"),
        ("checked-answer", [], "", "no final answer is known"),
    ],
)
def test_samples_that_cannot_be_told_apart_make_no_pair(name, answers, known, reason):
    assert made(name, answers, known) == Drop("pairs", KEY, f"{name}: {reason}")


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ("B", "B) Paris"),
        ("B", "B because it is the capital"),
        ("B", "Paris"),
        ("B) Paris", "Paris"),
        ("Paris", "Paris, France"),
        ("yes", "Yes, it is."),
        ("0.5", "50%"),
        ("50", "1/2"),
        ("5", "5/0"),
        ("5 hours", "5 minutes"),
        ("5 hours", "300 minutes"),
        ("July 5", "June 5"),
        ("5:00 PM", "17:00"),
        ("5 p.m.", "17:00"),
        ("5 PM", "17"),
        ("下午5点", "17点"),
        ("5 million", "5,000,000"),
        ("6万", "60000"),
        ("巴黎", "法国巴黎"),
        ("甲", "甲、巴黎"),
        ("甲", "巴黎"),
    ],
)
def test_answers_that_may_mean_the_same_are_not_told_apart(known, other):
    found = made("checked-answer", [known, other], known)
    assert found == Drop("pairs", KEY, "checked-answer: no sample has another final answer")


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ("B", "C"),
        ("B", "C) London"),
        ("B) Paris", "A) Paris, Texas"),
        ("Paris", "London"),
        ("yes", "No, it is not."),
        ("5", "-5"),
        ("0.5", "0.25"),
        ("5 hours", "6 hours"),
        ("72", "70 apples"),
        ("B) 12", "C) 13"),
        ("1, 2", "1, 3"),
        ("巴黎", "伦敦"),
        ("6个", "7个苹果"),
        ("甲", "乙"),
    ],
)
def test_answers_that_mean_something_else_are_told_apart(known, other):
    assert numbers(made("checked-answer", [other, known], known)) == ("1", "0")


def test_a_right_sample_in_a_script_without_spaces_is_not_the_worse_one():
    own = replace(instruction(KEY), final_answer="巴黎")
    replies = ["Answer: 巴黎", "所以法国的首都是巴黎。"]
    found = BY_FINAL_ANSWER["checked-answer"].worse(own, replies, {}, [own])
    assert found == Drop("pairs", KEY, "no sample has another final answer")


@pytest.mark.parametrize(
    ("known", "answers"),
    [
        ("July 5", ["June 5", "July 4"]),
        ("5 hours", ["5 minutes", "6 hours"]),
        ("5:00 PM", ["17:00", "5:00"]),
        ("5个小时", ["5分钟", "6个小时"]),
        ("5", ["5 or 6", "7"]),
    ],
)
def test_a_number_of_something_else_does_not_reach_the_known_answer(known, answers):
    found = made("checked-answer", answers, known)
    assert found == Drop("pairs", KEY, "checked-answer: no sample reaches the known answer")


@pytest.mark.parametrize(
    ("known", "answer"),
    [("72", "72 apples"), ("72 apples", "72"), ("July 5", "5 July"), ("6", "6个"), ("1, 2", "1,2")],
)
def test_a_number_reaches_the_known_answer_with_or_without_words(known, answer):
    assert numbers(made("checked-answer", ["7", answer, "70 apples", "1, 3"], known))[0] == "1"


@pytest.mark.parametrize(
    ("answers", "better_and_worse"),
    [
        (["5 hours", "5 hours", "5 minutes", "6 hours", "5 hours"], ("0", "3")),
        (["72 apples", "72", "72 apples in all", "70"], ("0", "3")),
        (["5 hours", "5 minutes", "5", "6"], ("2", "3")),
    ],
)
def test_a_majority_says_the_same_whatever_words_it_leaves_out(answers, better_and_worse):
    assert numbers(made("majority-answer", answers, known="")) == better_and_worse


@pytest.mark.parametrize(
    "answers", [["5 hours", "5 minutes", "6 hours"], ["July 5", "June 5", "May 5", "May 4"]]
)
def test_the_same_number_of_different_things_is_no_majority(answers):
    found = made("majority-answer", answers)
    assert found.reason == "majority-answer: no final answer has a majority"


@pytest.mark.parametrize("name", BY_FINAL_ANSWER)
def test_samples_without_a_final_answer_make_no_pair(name):
    own = replace(instruction(KEY), final_answer="5")
    replies = ["I cannot say how many there are of these."] * 3
    found = BY_FINAL_ANSWER[name].worse(own, replies, {}, [own])
    assert found == Drop("pairs", KEY, "no final answer found")


def test_samples_that_were_cut_off_are_left_out():
    assert numbers(made("majority-answer", ["6", "5", "7", "5"], ends="lsss")) == ("1", "2")
    assert made("majority-answer", ["6", "5"], ends="ll").reason.endswith(
        "cut off by the token limit"
    )


def test_a_budget_that_ends_between_samples_decides_nothing():
    found = made("majority-answer", ["5", "5", "6", ""], ends="sssb")
    assert found.reason == "majority-answer: reply not asked for, as the budget was used up"


@given(answers=st.lists(st.sampled_from(["5", "6", "7", ""]), min_size=1, max_size=9))
def test_a_pair_is_made_just_where_more_than_half_agree_and_not_all(answers):
    stated = [answer for answer in answers if answer]
    votes = max((stated.count(answer) for answer in stated), default=0)
    found = made("majority-answer", answers, known="")
    assert isinstance(found, ResponsePair) == (len(stated) / 2 < votes < len(stated))
    if isinstance(found, ResponsePair):
        assert stated.count(found.better[-1]) == votes
        assert stated.count(found.worse[-1]) == min(map(stated.count, stated))
