"""How worse responses are made, and which pairs are dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.engines.base import Completion
from ste_plugin.pairs.answered import AnsweredInstructions
from ste_plugin.pairs.strategies import (
    STRATEGIES,
    UNFINISHED,
    read_answer,
    read_pair,
)
from ste_plugin.records import Drop, ResponsePair, content_key
from tests.helpers.builders import instruction

ONE_CALL = "Modified instruction:\nName a tool.\n\nAnswer:\nA spade.\nOr an axe."
KEYS = [content_key("instruction", n) for n in range(3)]
BETTER = dict(zip(KEYS, ["An apple.", "A pear.", "Blue."], strict=True))


SOME_KEYS = [content_key("instruction", letter) for letter in "abcdefg"]


def reply(text: str, finish_reason: str = "stop") -> Completion:
    return Completion("k", text, finish_reason, 1, 1)


def made(name: str, *replies: Completion, pool=()) -> ResponsePair | Drop:
    own = instruction(KEYS[0])
    return read_pair(own, BETTER[own.key], name, STRATEGIES[name], replies, BETTER, pool)


def test_one_call_yields_the_answer_to_the_modified_instruction():
    assert made("modified-instruction", reply(ONE_CALL)).worse == "A spade.\nOr an axe."


def test_one_call_in_another_form_is_dropped_with_a_reason():
    found = made("modified-instruction", reply("A spade."))
    assert found.reason == "modified-instruction: modified instruction not in the asked form"


def test_two_calls_answer_the_rewritten_instruction_as_a_normal_chat():
    strategy = STRATEGIES["modified-instruction-two-calls"]
    (second,) = strategy.next_prompt(instruction(), [" Name a tool. "])
    assert (second.role, second.content) == ("user", "Name a tool.")
    assert strategy.next_prompt(instruction(), ["Name a tool.", "A spade."]) is None


@pytest.mark.parametrize("rewrite", ["name a  FRUIT.", "Name: a fruit", "Please name a fruit!"])
def test_a_rewrite_that_changes_next_to_nothing_makes_no_pair(rewrite):
    found = made("modified-instruction-two-calls", reply(rewrite), reply("A pear."))
    assert found.reason.endswith("modified instruction too close to the original")
    found = made(
        "modified-instruction", reply(f"Modified instruction:\n{rewrite}\nAnswer:\nA pear.")
    )
    assert found == Drop(
        "pairs", KEYS[0], "modified-instruction: modified instruction too close to the original"
    )


def test_an_easy_negative_is_a_good_answer_to_another_instruction_of_the_category():
    pool = [
        instruction(KEYS[0], category="x"),
        instruction(KEYS[1], category="x"),
        instruction(KEYS[2], category="y"),
    ]
    own = pool[0]
    strategy = STRATEGIES["other-instruction"]
    found = read_pair(own, BETTER[own.key], "o", strategy, [], BETTER, pool)
    assert found.worse == "A pear."


@given(keys=st.lists(st.sampled_from(SOME_KEYS), min_size=2), own=st.integers(0))
def test_an_easy_negative_is_never_an_answer_to_the_same_instruction(keys, own):
    pool = AnsweredInstructions.of([instruction(k, category="x") for k in keys])
    asked = pool[own % len(pool)]
    answers = {k: f"An answer to {k}." for k in keys}
    others = sorted(k for k in keys if k != asked.key)
    found = STRATEGIES["other-instruction"].worse(asked, [], answers, pool)
    if not others:
        assert isinstance(found, Drop)
    else:
        drawn = others[int(content_key("other", asked.key), 16) % len(others)]
        assert found == answers[drawn]


@pytest.mark.parametrize("key", ["nobody", "", SOME_KEYS[0].upper(), SOME_KEYS[0][:-1], "f" * 16])
def test_the_key_of_no_instruction_is_not_found(key):
    pool = AnsweredInstructions.of([instruction(SOME_KEYS[0])])
    assert pool.position_of(SOME_KEYS[0]) == 0
    with pytest.raises(KeyError):
        pool.position_of(key)


def test_without_another_instruction_of_the_category_there_is_no_easy_negative():
    assert made("other-instruction", pool=[instruction(KEYS[0])]).reason.endswith(
        "no other instruction of its category"
    )


@pytest.mark.parametrize(
    ("text", "finish_reason", "reason"),
    [
        ("  \n", "stop", "worse answer empty"),
        ("A spa", "length", "worse answer cut off by the token limit"),
        ("A spa", "blocked", "worse answer blocked by the server's filter"),
        (
            "",
            "too_long",
            "worse answer not written, as the prompt is too long for the model's context",
        ),
        ("A spa", "broken", "worse answer broken off by the server"),
        (" An  apple.\n", "stop", "both answers are equal"),
    ],
)
def test_a_pair_that_cannot_teach_is_dropped_with_a_reason(text, finish_reason, reason):
    found = made("ask-for-worse", reply(text, finish_reason))
    assert found == Drop("pairs", KEYS[0], f"ask-for-worse: {reason}")


@pytest.mark.parametrize(
    ("text", "finish_reason"), [("", "stop"), *(("An app", reason) for reason in UNFINISHED)]
)
def test_an_instruction_without_a_whole_good_answer_is_dropped(text, finish_reason):
    assert isinstance(read_answer(instruction(), reply(text, finish_reason)), Drop)


def test_the_good_answer_is_stripped():
    assert read_answer(instruction(), reply(" An apple.\n")) == "An apple."


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_shows_the_generator_the_instruction_it_needs(name):
    prompt = STRATEGIES[name].next_prompt(instruction(text="Name a fruit?!"), [])
    assert prompt is None or "Name a fruit?!" in prompt[-1].content
    assert (prompt is None) == (name == "other-instruction")
