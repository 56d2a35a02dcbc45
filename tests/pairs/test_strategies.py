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
    word_overlap,
)
from ste_plugin.records import Drop, ResponsePair, content_key
from tests.helpers.builders import instruction

ONE_CALL = "Modified instruction:\nName a tool.\n\nAnswer:\nA spade.\nOr an axe."
KEYS = [content_key("instruction", n) for n in range(3)]
BETTER = dict(zip(KEYS, ["An apple.", "A pear.", "Blue."], strict=True))


SOME_KEYS = [content_key("instruction", letter) for letter in "abcdefg"]


def reply(text: str, finish_reason: str = "stop") -> Completion:
    return Completion("k", text, finish_reason, 1, 1)


def made(name: str, *replies: Completion, pool=(), asked="") -> ResponsePair | Drop:
    own = instruction(KEYS[0], asked) if asked else instruction(KEYS[0])
    return read_pair(own, BETTER[own.key], name, STRATEGIES[name], replies, BETTER, pool)


def test_one_call_yields_the_answer_to_the_modified_instruction():
    assert made("modified-instruction", reply(ONE_CALL)).worse == "A spade.\nOr an axe."


def test_one_call_in_another_form_is_dropped_with_a_reason():
    found = made("modified-instruction", reply("A spade."))
    assert found.reason == "modified-instruction: modified instruction not in the asked form"


LABELS = ["Answer:", "**Answer:**", "**Answer**:", "### Answer:", "## **Answer:**", "_answer:_"]


@pytest.mark.parametrize("label", [*LABELS, "Answer\uff1a", "  Answer:"])
@pytest.mark.parametrize("gap", [" ", "\n", "\n\n"])
def test_marks_around_a_label_are_no_part_of_the_answer(label: str, gap: str):
    begin = label.lower().replace("answer", "Modified instruction")
    found = made(
        "modified-instruction", reply(f"{begin}\nName a tool.\n\n{label}{gap}**A** spade.")
    )
    assert found.worse == "**A** spade."


@given(
    labels=st.lists(st.sampled_from([*LABELS, "Answer: 12", "**Answer: 12**"]), min_size=2),
    between=st.text("ab. \n"),
)
def test_where_several_lines_begin_with_the_label_nobody_knows_where_the_answer_begins(
    labels: list[str], between: str
):
    text = f"Modified instruction:\n{between}\n" + f"\n{between}\n".join(labels) + "\nA) Madrid"
    found = made("modified-instruction", reply(text))
    assert found == Drop(
        "pairs", KEYS[0], "modified-instruction: several lines begin with the label of the answer"
    )


def test_a_label_is_looked_for_at_the_beginning_of_a_line():
    found = made("modified-instruction", reply(f"{ONE_CALL}\nThat was my answer: a tool."))
    assert found.worse == "A spade.\nOr an axe.\nThat was my answer: a tool."


def test_the_form_may_be_announced_by_its_own_words():
    announced = "Here is my modified instruction: I kept the form.\n\n**Modified instruction:**\n"
    text = f"{announced}Please name a fruit!\n\nAnswer:\nA pear."
    found = made("modified-instruction", reply(text))
    assert found.reason.endswith("modified instruction too close to the original")


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


@pytest.mark.parametrize(
    ("asked", "rewrite"),
    [
        ("法国的首都是哪里？", "法国的首都在哪里？"),
        ("请写一首关于春天的短诗。", "写一首关于春天的短诗。"),
        ("フランスの首都はどこですか。", "フランスの首都はどこ？"),
        ("ช่วยเขียนบทกวีสั้น ๆ เกี่ยวกับฤดูใบไม้ผลิ", "เขียนบทกวีสั้นๆเกี่ยวกับฤดูใบไม้ผลิ"),
    ],
)
def test_where_words_are_written_without_spaces_a_rewrite_may_be_too_close_as_well(asked, rewrite):
    found = made("modified-instruction-two-calls", reply(rewrite), reply("A pear."), asked=asked)
    assert found.reason.endswith("modified instruction too close to the original")


@given(text=st.text("法国的首都是哪里请写一首春天诗", min_size=1))
def test_it_does_not_matter_whether_such_words_are_spaced(text: str):
    assert word_overlap(text, " ".join(text)) == 1
    assert word_overlap(text, "".join(f"{sign}、" for sign in text)) == 1


@given(text=st.text(), other=st.text())
def test_an_overlap_is_a_share_and_the_same_from_either_side(text: str, other: str):
    assert 0 <= word_overlap(text, other) == word_overlap(other, text) <= 1


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
    ("better", "worse"),
    [
        ("Paris", "Paris."),
        ("Paris", "**Paris**"),
        ("Positive", "positive"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("[[A]]", "((A))"),
        ("Bye <|im_end|> " * 20, "Bye (|im_end|) " * 20),
    ],
)
def test_answers_that_say_the_same_or_are_shown_alike_make_no_pair(better: str, worse: str):
    own, strategy = instruction(KEYS[0]), STRATEGIES["ask-for-worse"]
    found = read_pair(own, better, "ask-for-worse", strategy, [reply(worse)], BETTER, [own])
    assert found == Drop("pairs", KEYS[0], "ask-for-worse: both answers are equal")


@pytest.mark.parametrize(
    ("better", "worse"),
    [("a < b", "a > b"), ("x == 1", "x != 1"), ("a [0]", "a (0)"), ("-5", "5"), ("No. 5", "No. 6")],
)
def test_answers_that_differ_in_a_sign_or_a_number_are_a_pair(better: str, worse: str):
    own, strategy = instruction(KEYS[0]), STRATEGIES["ask-for-worse"]
    found = read_pair(own, better, "ask-for-worse", strategy, [reply(worse)], BETTER, [own])
    assert (found.better, found.worse) == (better, worse)


def test_long_answers_of_the_same_words_may_differ_in_how_they_are_written():
    text = "Name the fruit that grows on this tree. " * 3
    own, strategy = instruction(KEYS[0]), STRATEGIES["ask-for-worse"]
    found = read_pair(own, text, "o", strategy, [reply(text.upper())], BETTER, [own])
    assert isinstance(found, ResponsePair)


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
