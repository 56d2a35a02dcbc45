"""Thoughts and answers: what is said is what follows the last thought, in every family's marks."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.judging import parse_verdict
from ste_plugin.text.sanitize import sanitize_for_model
from ste_plugin.text.thinking import (
    FAMILIES,
    HARMONY,
    Marks,
    find_marks,
    in_tags,
    split_thinking,
    without_marks,
)

PLAIN = st.text("abc .\n[]AB", max_size=30)
ANY_FAMILY = pytest.mark.parametrize("marks", FAMILIES, ids=[m.open for m in FAMILIES])


def thought(marks: Marks, words: str) -> str:
    return marks.form.format(open=marks.open, thought=words, close=marks.close)


@ANY_FAMILY
@given(words=PLAIN, answer=PLAIN)
def test_the_answer_is_what_follows_the_thought(marks, words, answer):
    split = split_thinking(thought(marks, words) + answer)
    assert (split.said.strip(), split.ended) == (answer.strip(), True)
    assert split.thinking + split.said == thought(marks, words) + answer


@ANY_FAMILY
def test_of_several_thoughts_the_answer_follows_the_last(marks):
    reply = f"{thought(marks, '[[A]]')}Hm. {thought(marks, '[[A]] after all')}[[B]]"
    assert split_thinking(reply).said == "[[B]]"


@ANY_FAMILY
@given(words=PLAIN)
def test_a_thought_that_never_ends_leaves_no_answer(marks, words):
    split = split_thinking(f"{marks.open}{words} [[A]]")
    assert (split.said, split.ended) == ("", False)
    assert parse_verdict(f"{marks.open}{words} [[A]]") is None


@ANY_FAMILY
def test_a_thought_that_the_prompt_opened_ends_at_its_closing_mark(marks):
    reply = f"It might be [[A]].{marks.close}It is [[B]]."
    assert split_thinking(reply, opened=True).said == "It is [[B]]."
    assert split_thinking(reply).said == "It is [[B]]."


@given(PLAIN)
def test_a_thought_that_the_prompt_opened_and_nothing_closes_leaves_no_answer(words):
    assert split_thinking(words, opened=True) == (words, "", False)


@given(PLAIN)
def test_a_reply_without_marks_is_an_answer(words):
    assert split_thinking(words) == ("", words, True)


@pytest.mark.parametrize(
    "answer",
    [
        "Write `<think>` before it and `</think>` behind it.",
        'text.split("</think>")[-1] keeps the answer.',
        "Use the `<think>...</think>` tags to plan. It helps.",
        'It puts "<think>plan</think>" before the answer.',
        "Like this:\n\n```xml\n<think>\nplan\n</think>\n```\nSo [[A]]",
        "It closes as in\n~~~\n</think>\n~~~\nwhich is right: [[B]]",
        "`print('<think>' + plan)` opens it, `print(plan, '</think>')` ends it.",
        "An analysis of both answers: the second is right.",
        "Analysis: the second is right.",
        "finally, it rains.",
        "Final verdict: [[A]]",
        "final words",
    ],
)
def test_marks_that_an_answer_only_mentions_open_no_thought(answer):
    assert split_thinking(answer) == ("", answer, True)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("analysisWe weigh [[A]].assistantfinalIt is [[B]].", "It is [[B]]."),
        ("analysisWe weigh.assistantcommentaryHm.assistantfinal[[B]]", "[[B]]"),
        ("analysiswe weigh [[A]].assistantfinalit is [[B]].", "it is [[B]]."),
        ("analysis用户问。assistantfinal是 [[B]]。", "是 [[B]]。"),
        ("analysis we weigh, and finally: [[B]]", "analysis we weigh, and finally: [[B]]"),
        ("finalThe second is right.", "The second is right."),
        ("analysisWe weigh [[A]], and on and on", ""),
        ("<|channel|>final<|message|>It is [[B]].<|return|>", "It is [[B]]."),
        ("<|channel|>analysis<|message|>It could be [[A]].<|end|>", ""),
        ("<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>B.<|END_RESPONSE|>", "B."),
    ],
)
def test_channels_are_told_apart_with_their_special_tokens_and_without(reply, said):
    assert split_thinking(reply).said == said


def test_a_quotation_that_ends_a_thought_does_not_hide_its_end():
    assert split_thinking('<think>They say "yes"</think>No.').said == "No."


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ('They say "yes"', '"No" is right.'),
        ("It prints `A`", "`A` is right."),
        ("He writes 'so.'", "'So' it is."),
        ("It starts\n```py\nx = 1", "As in\n```py\nx = 2\n```\nit is [[A]]"),
        ("It says `x", "`x` is right."),
    ],
)
@ANY_FAMILY
def test_quotes_and_code_on_both_sides_of_a_mark_do_not_hide_it(marks, words, answer):
    reply = f"{marks.open}{words}{marks.close}{answer}"
    assert split_thinking(reply) == (f"{marks.open}{words}{marks.close}", answer, True)


@pytest.mark.parametrize("repeated", ["`", "```\n", '"<think>', "`<think>", "`</think>` "])
def test_a_reply_that_repeats_itself_is_read_at_once(repeated):
    started = perf_counter()
    split_thinking("<think>Hm.</think>" + repeated * (20_000 // len(repeated)))
    assert perf_counter() - started < 5


@ANY_FAMILY
@pytest.mark.parametrize(
    "answer",
    [
        "It writes\n```\n<think>\n```\nand never `</think>`: [[B]]",
        "```\n</think>\n```\nis missing: [[B]]",
        '"<think>" is missing: [[B]]',
    ],
)
def test_an_answer_behind_a_thought_may_show_marks_as_code(marks, answer):
    reply = f"{marks.open}Hm.{marks.close}{answer}"
    assert split_thinking(reply).said == answer
    assert without_marks(reply) == f"Hm.{answer}"


def test_marks_of_ones_own_are_found_beside_the_known_ones():
    own = (Marks("<scratch>", "</scratch>"), *FAMILIES)
    assert split_thinking("<scratch>[[A]]</scratch>[[B]]", own).said == "[[B]]"
    assert split_thinking("<scratch>[[A]]", own).said == ""
    assert split_thinking("<think>[[A]]</think>[[B]]", own).said == "[[B]]"


def test_a_thought_that_a_server_told_apart_is_kept_as_one_that_was_written():
    assert split_thinking(in_tags("Hm. [[A]]") + "[[B]]").said == "[[B]]"


def test_the_family_of_a_template_is_known_by_its_closing_mark():
    assert find_marks("{{ '<seed:think>' }}{{ '</seed:think>' }}")[0].open == "<seed:think>"
    assert find_marks("no such thing") == ()


def test_the_words_of_a_thought_in_channels_hold_nothing_that_stands_between_channels():
    reply = HARMONY.form.format(open=HARMONY.open, thought="Hm.", close=HARMONY.close) + "[[B]]"
    assert without_marks(split_thinking(reply).thinking) == "Hm."
    assert without_marks("Hm. <|end|>") == "Hm. <|end|>"


@ANY_FAMILY
def test_nobody_elses_text_can_open_or_close_a_thought(marks):
    text = sanitize_for_model(f"{marks.open}[[A]]{marks.close}")
    assert split_thinking(text) == ("", text, True)
    assert not any(mark.strip() in text for mark in (marks.open, marks.close))
