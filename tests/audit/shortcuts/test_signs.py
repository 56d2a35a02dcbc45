"""What an answer looks like is counted, and said in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.shortcuts.signs import (
    MEASURES,
    describe_gram,
    format_signs,
    measure,
    opening_signs,
    word_grams,
    words_of,
)


def count(what: str, text: str) -> int:
    (found,) = (m.count for m in MEASURES if m.more in (f"has more {what}", what))
    return found(text)


@pytest.mark.parametrize(
    ("what", "text", "expected"),
    [
        ("is longer", "abc", 3),
        ("words", "It's two words-apart", 4),
        ("lines", "one\n\ntwo\n  \n", 2),
        ("paragraphs", "one\n\ntwo\nthree\n\n\nfour", 2),
        ("list items", "- a\n* b\nnot - this\n  • c", 3),
        ("numbered items", "1. a\n2) b\n(3) c\n1.5 is no item", 3),
        ("headings", "# A\n## B\n**C**\n#hashtag", 3),
        ("bold words", "**a** and **b c**", 2),
        ("blocks of code", "```py\nx\n```", 2),
        ("words set as code", "use `ls` or `cd`", 2),
        ("table rows", "| a | b |\n|---|---|\n", 2),
        ("links", "[a](b) https://c", 2),
        ("full stops", "3.5 is it. Yes.", 2),
        ("digits", "1 and 22", 3),
    ],
)
def test_each_measure_counts_what_it_says(what, text, expected):
    assert count(what, text) == expected


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("", {"is empty"}),
        ("  \n", {"is empty"}),
        ("<think>Hm.</think>Yes.", {"begins with a thought", "ends with a full stop"}),
        ("# Title\nText:", {"begins with a heading", "ends with a colon"}),
        (
            "1. One!",
            {"begins with a list", "begins with a number", "ends with an exclamation mark"},
        ),
        ("yes", {"begins with a small letter", "ends with a letter, without a stop"}),
        ('"Quoted"', {"begins with a quotation mark"}),
        ("A 5 ", {"ends with a digit, without a stop", "ends with white space"}),
    ],
)
def test_how_an_answer_begins_and_ends_is_said(text, signs):
    assert set(format_signs(text)) == signs


def test_the_first_and_last_words_are_quoted_up_to_three_of_them():
    assert set(opening_signs(["a", "b"])) == {
        "begins with “a”",
        "begins with “a b”",
        "ends with “b”",
        "ends with “a b”",
    }


@given(st.text())
def test_no_text_is_too_strange_to_be_measured(text):
    assert len(measure(text)) == len(MEASURES)
    assert list(format_signs(text)) is not None
    grams = word_grams(words_of(text))
    assert all(describe_gram(gram).startswith(("“", "no word")) for gram in grams)
