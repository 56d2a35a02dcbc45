"""Answers dressed up keep what they say; no trained phrase is one that judges are tested on."""

from dataclasses import astuple
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.pairs.restyling import (
    HELD_OUT,
    TRAINED,
    as_markdown,
    has_markdown,
    padded,
    sentences,
    with_authority,
    with_opener,
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


def test_no_phrase_is_both_trained_and_tested():
    trained, tested = (set(chain(*astuple(words))) for words in (TRAINED, HELD_OUT))
    assert trained.isdisjoint(tested)
    assert not any(
        one in other or other in one
        for one in trained
        for other in tested
        if len(one) > 3 < len(other)
    )


@given(text=TEXT, key=st.text())
def test_a_padded_answer_says_the_same_twice_and_is_more_than_twice_as_long(text, key):
    longer = padded(text, TRAINED, key)
    assert longer.count(text.strip()) >= 2
    assert len(longer) > 2 * len(text.strip())


@pytest.mark.parametrize("dress", [with_authority, with_opener])
@given(text=TEXT, key=st.text())
def test_what_is_put_before_an_answer_leaves_it_whole(dress, text, key):
    assert dress(text, HELD_OUT, key).endswith(text.strip())
    assert dress(text, HELD_OUT, key) == dress(text, HELD_OUT, key)


@given(text=TEXT, key=st.text())
def test_markdown_keeps_every_word_in_order(text, key):
    shown = as_markdown(text, HELD_OUT, key)
    words = [w.strip("*") for w in shown.split("\n", 2)[2].replace("- ", " ").split()]
    kept = iter(words)
    assert has_markdown(shown)
    assert all(
        any(w.strip("*-") == k.strip("*-") for k in kept) for w in text.split() if w.strip("*-")
    )


def test_sentences_end_at_stops_and_lines():
    assert sentences("It is 5. Is it?\nYes! v1.2 too") == ["It is 5.", "Is it?", "Yes!", "v1.2 too"]


@pytest.mark.parametrize("text", ["# A", "- a", "a\n1. b", "so **b**", "`x`", "```\nx\n```"])
def test_markdown_is_known(text):
    assert has_markdown(text)
    assert not has_markdown("A minus - sign, 2 * 3 and #1.")
