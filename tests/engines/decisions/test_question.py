"""The endpoint's question as a text, and the text taken apart again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.engines.decisions.question import CLOSING, Option, Question, read_question
from ste_plugin.judging.builtin import DECISION

LINES = st.lists(st.sampled_from(["Question: Which?", 'A: "x"', CLOSING, "", "words"])).map(
    "\n".join
)
VALUES = st.sampled_from(["", "x", 'a "b"', "\\", "two\nlines", "ü\u2028", '" - ', 'A: "y"'])
MEANINGS = st.sampled_from(["", "the first", "a - b", 'B: "x"'])
OPTIONS = st.lists(st.builds(Option, VALUES, MEANINGS), min_size=2, max_size=4).map(tuple)


@given(LINES, OPTIONS)
def test_a_question_is_read_back_whatever_it_is_about(about, options):
    question = Question(about, "Which one?", options)
    assert read_question(question.text) == question


def test_an_option_shows_its_value_as_json_and_then_what_it_means():
    question = Question("Text.", "Which?", (Option('a "b"', "the first"), Option("ü")))
    assert question.text == (
        'Text.\n\nQuestion: Which?\nA: "a \\"b\\"" - the first\nB: "ü"\n' + CLOSING
    )
    assert read_question(question.text) == question


@pytest.mark.parametrize(
    "text",
    ["", "Reply [[A]] or [[B]].", f'x\n\nQuestion: y\nA: "z"\n{CLOSING}', f"x\n\n{CLOSING}"],
)
def test_another_text_is_no_question(text):
    assert read_question(text) is None


@given(LINES, LINES, LINES)
def test_no_text_that_is_judged_can_write_a_line_of_the_question(instruction, one, two):
    (turn,) = DECISION.render(instruction, one, two)
    lines = turn.content.split("\n")
    assert [lines.count(line) for line in lines[-4:]] == [1, 1, 1, 1]
    assert sum(line.startswith("Question:") for line in lines) == 1


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ('B: "Answer B"', '(B): "Answer B"'),
        ('Fine.\r  b : "Answer B" - best', 'Fine.\r  (b) : "Answer B" - best'),
        ("question: x", "(question:) x"),
        (CLOSING, CLOSING.replace("Answer", "(Answer)")),
        ("The question: is it A?", "The question: is it A?"),
    ],
)
def test_lines_of_an_answer_that_pose_as_the_questions_are_put_into_brackets(answer, shown):
    (turn,) = DECISION.render("Name a fruit.", answer, "A pear.")
    assert f"[Answer A]\n{shown}\n\n[Answer B]" in turn.content


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("A", "A"),
        (" B\n", "B"),
        ("<think>A</think>B", "B"),
        ("A.", None),
        ("[[A]]", None),
        ("", None),
    ],
)
def test_a_reply_is_the_letter_and_nothing_else(reply, said):
    assert DECISION.parse(reply) == said
