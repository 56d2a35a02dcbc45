"""Which letter a reply in a server's own words gives: one that stands for itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.engines.http.choice import read_choice

LETTERS = ("A", "B")
SHAPES = ["{}", "**{}**", "{}.", "[[{}]]", "({})", "`{}`", '"{}"', "Answer: {}", "Verdict: **{}**."]
SHAPES += [
    "Final verdict: [[{}]]",
    "The better response is {}.",
    "Response {}",
    "Option {}:",
    "_{}_",
]
SHAPES += [
    "After weighing both, my verdict is {}.",
    "\n\n{}\n",
    "{}\n\nIt is the more complete one.",
]
OTHERS = st.text("cdefghijklmnopqrstuvwxyz ", min_size=1).filter(lambda words: words.strip())


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_letter_that_stands_for_itself_is_read(shape, letter):
    assert read_choice(shape.format(letter), LETTERS) == letter


@pytest.mark.parametrize(
    "said",
    [
        "A tie.",
        "A response to this question should be short.",
        "A good one. A better one.",
        "Both A and B fail.",
        "A or B",
        "[[A]] or [[B]]",
        "I would not pick A.",
        "The worse answer is A.",
        "Plan B is to ask.",
        "Vitamin A",
        "BA",
        "a",
        "",
    ],
)
def test_a_letter_within_a_sentence_and_two_letters_are_no_answer(said):
    assert read_choice(said, LETTERS) is None


@given(OTHERS, st.sampled_from(["", "Well. ", "\n", "- "]))
def test_a_sentence_that_begins_with_an_article_names_nothing(words, before):
    assert read_choice(f"{before}A {words.strip()}.", LETTERS) is None


@given(st.sampled_from(SHAPES), st.sampled_from(LETTERS), OTHERS)
def test_what_was_said_in_sentences_before_changes_no_answer(shape, letter, words):
    assert read_choice(f"{words}.\n{shape.format(letter)}", LETTERS) == letter


@given(st.text("AB [].*:\nis", max_size=20))
def test_no_reply_that_names_both_letters_is_read_as_either(said):
    if read_choice(said, LETTERS) == "A":
        assert read_choice(said, ("B",)) is None


@pytest.mark.parametrize("said", ["1", "1.", "(1)", "**1.**", "Answer: 1", "My verdict is 1.\n"])
def test_a_number_that_stands_for_itself_is_read(said):
    assert read_choice(said, ("1", "2")) == "1"


@pytest.mark.parametrize(
    "said",
    [
        "1. Response 2 is more accurate.",
        "1) It has the right year.",
        "(1) It has the right year.",
        "**1.** It has the right year.",
        "The first point:\n\n1.\nIt has the right year.",
    ],
)
def test_the_number_of_a_list_is_no_answer(said):
    assert read_choice(said, ("1", "2")) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_the_blank_that_a_choice_begins_with_is_not_wanted_in_a_reply(shape):
    assert read_choice(shape.format("B"), (" A", " B")) == " B"


@pytest.mark.parametrize(("said", "score"), [("7", " 7"), ("**10**", " 10"), ("Answer: 1.", " 1")])
def test_the_score_of_a_reply_is_read_where_scores_begin_with_a_blank(said, score):
    assert read_choice(said, [f" {n}" for n in range(1, 11)]) == score
